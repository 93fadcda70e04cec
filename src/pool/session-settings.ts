/** Time zone and dates of every session: the form that is parsed here. The encoding is sent by pg itself. */
export const sessionSettings: Readonly<Record<string, string>> = Object.freeze({
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
})

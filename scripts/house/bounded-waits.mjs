/*
 * A rule for ESLint: what waits has a bound and can be ended early. The primitives of waiting know neither, so each of
 * them stands under a comment that begins with "Bound:" and says what ends the wait, or is not written at all:
 *
 *   new Promise(…), deferred(), once(…)         only with such a comment; `within()` and `Deadline` have both already
 *   setTimeout of node:timers/promises          only in pause.ts: `pause(ms, signal)` wants the signal to be said
 *   pool.acquire()                              with a signal or a time-out, or with such a comment
 *   client.query(…), connection.query(…)        only with such a comment; the sessions have a bound for each statement
 *
 * The comment stands above the statement, or above the method or function around it. What is an argument of `within()`, or of
 * a method `bounded()`, needs none.
 */

const PAUSES = /\/pool\/pause\.ts$/

const hint = 'Give it a bound and a signal (within(), pause(), Deadline), or say above it what ends it: "// Bound: …".'

/** @type {import('eslint').Rule.RuleModule} */
const boundedWait = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      promise: `A promise of one's own waits for ever when nothing settles it. ${hint}`,
      once: `A wait for an event never ends when the event does not come. ${hint}`,
      timer: 'A pause takes a signal: use pause() or tryPause() of pool/pause.ts.',
      acquire: `A wait for a connection takes a signal or a time-out. ${hint}`,
      query: `A statement on a bare connection waits for ever on a silent server. ${hint}`,
    },
  },
  create(context) {
    const report = (node, messageId) => {
      if (!isExplained(node, context.sourceCode)) context.report({ node, messageId })
    }
    return {
      NewExpression: (node) => isNamed(node.callee, 'Promise') && report(node, 'promise'),
      CallExpression: (node) => {
        const messageId = judgeCall(node)
        if (messageId !== undefined) report(node, messageId)
      },
      ImportDeclaration: (node) => {
        if (importsTimer(node) && !PAUSES.test(context.filename)) context.report({ node, messageId: 'timer' })
      },
    }
  },
}

function judgeCall({ callee, arguments: args }) {
  if (isNamed(callee, 'deferred')) return 'promise'
  if (isNamed(callee, 'once')) return 'once'
  if (callee.type !== 'MemberExpression') return undefined
  if (isNamed(callee.property, 'acquire') && !hasBound(args)) return 'acquire'
  if (isNamed(callee.property, 'query') && isBareConnection(callee.object)) return 'query'
  return undefined
}

/** True for a call of `within` or of a method `bounded`, which bound what they are given. */
function isBoundingCall({ type, callee }) {
  if (type !== 'CallExpression') return false
  return isNamed(callee, 'within') || (callee.type === 'MemberExpression' && isNamed(callee.property, 'bounded'))
}

/** True for `client`, `connection`, and for a property of that name; `lease.client` for instance. */
function isBareConnection(node) {
  const name = node.type === 'MemberExpression' ? node.property : node
  return isNamed(name, 'client') || isNamed(name, 'connection')
}

function hasBound([options]) {
  if (options === undefined) return false
  if (options.type !== 'ObjectExpression') return true
  return options.properties.some(({ key }) => isNamed(key, 'signal') || isNamed(key, 'timeoutMs'))
}

function importsTimer({ source, specifiers }) {
  return source.value === 'node:timers/promises' && specifiers.some(({ imported }) => isNamed(imported, 'setTimeout'))
}

function isNamed(node, name) {
  return (node?.type === 'Identifier' || node?.type === 'PrivateIdentifier') && node.name === name
}

/** Looks for what bounds the call, above the statement, and above what is around it up to the method. */
function isExplained(node, sourceCode) {
  for (let around = node; around != null && around.type !== 'ClassBody'; around = around.parent) {
    if (isBoundingCall(around)) return true
    if (sourceCode.getCommentsBefore(around).some(({ value }) => /(^|\s)Bound: \S/.test(value))) return true
  }
  return false
}

export const boundedWaits = { rules: { 'bounded-wait': boundedWait } }

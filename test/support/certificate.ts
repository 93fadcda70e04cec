/*
 * A certificate for tests, valid to 2120: of the authority, of a server on this machine, and of the role `postgres`, all in
 * one. Its key protects nothing.
 */

export const certificate = `-----BEGIN CERTIFICATE-----
MIIBZTCCAQugAwIBAgIBATAKBggqhkjOPQQDAjATMREwDwYDVQQDDAhwb3N0Z3Jl
czAgFw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowEzERMA8GA1UEAwwI
cG9zdGdyZXMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAR/ucCD9wWo2utx7wEd
oFRkJ11+sCIXY1JM5EfnQcJEPwDCUInmQk77GJwBBohHj2/SvmnnNJLjVJCoFEgg
aMGKo04wTDAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwDwYDVR0TAQH/BAUw
AwEB/zAdBgNVHQ4EFgQUUdvOZQJ0Zgt08n6RjNkD+uNGM7swCgYIKoZIzj0EAwID
SAAwRQIgQWSkJuhArW0XsDA9F4v0nPi8cm6Ldw90MY5gNmbzuMUCIQDo7vGXfVE3
BnkfTdfkbDZUxDWhztn2ff2X+GaqmfH35w==
-----END CERTIFICATE-----
`

export const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgY/pw9XgF4FVJs0tA
wcYoZy7cqrkCJ0RW3ax5eUTLyDGhRANCAAR/ucCD9wWo2utx7wEdoFRkJ11+sCIX
Y1JM5EfnQcJEPwDCUInmQk77GJwBBohHj2/SvmnnNJLjVJCoFEggaMGK
-----END PRIVATE KEY-----
`

export const passphrase = 'fixture-passphrase'

/** The same key, under the passphrase. */
export const encryptedKey = `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhfr65wtJGB7AICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEOqW2W7IIdR2RGDoveupQTIEgZCY
d9NLYzodEuhacPX3gU46H+P8mjQ2yO9xeMBfXGbbGV/mqmLz1T3StvpXbITFCqE6
/J/pTGywiZ6rRRlFLc7NDr6zmeu34pO4ZesAYqjsL06WbW88iVHksilr5AgH9Ue5
j13eAaB35ceNk0+lefzC+c0RTcee0WhN/hxcjSqU7SJYmfqt9BSOUuRi9UBEEPE=
-----END ENCRYPTED PRIVATE KEY-----
`

// A worker whose vitest was killed would go on with its test file for as long as that takes.
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL'))

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'

/**
 * Whatever way Node.js ends, also SIGKILL, its pipes end with it. A watcher is a `sh` in a session of its own (Ctrl-C in
 * the terminal does not reach it) that reads from such a pipe which process is to be ended; at the end of the pipe it
 * ends that process, then removes the folder, then itself.
 *
 * | last line      | at the end of the pipe                                                             |
 * |----------------|------------------------------------------------------------------------------------|
 * | `server PID`   | SIGQUIT (immediate shutdown), after 10 seconds SIGKILL                              |
 * | `group PID`    | SIGKILL to the process group (initdb and what it started)                           |
 * | `none`, or no line | nothing to end                                                                 |
 *
 * A zombie counts as gone: in a container whose first process reaps nobody it would be waited for in vain. A server
 * that was killed leaves its postmaster.pid, whose seventh line tells the shared memory that no one else frees.
 */
const script = `
trap '' HUP INT TERM
kind=none pid=
while read -r word number; do kind=$word pid=$number; done

is_alive() {
  kill -0 "$pid" || return 1
  read -r stat <"/proc/$pid/stat" || return 0
  case $stat in *') Z '*) return 1 ;; esac
}
wait_until_gone() {
  tries=$1
  while is_alive && [ "$tries" -gt 0 ]; do tries=$((tries - 1)); sleep 0.1; done
}
free_shared_memory() {
  set -- $(sed -n 7p "$1/data/postmaster.pid")
  if [ -n "$2" ]; then ipcrm -m "$2"; fi
}

case $kind in
  server) kill -QUIT "$pid"; wait_until_gone 100; kill -KILL "$pid"; wait_until_gone 20 ;;
  group) kill -KILL "-$pid"; wait_until_gone 20 ;;
esac
free_shared_memory "$1"
tries=50
while [ "$tries" -gt 0 ] && ! rm -rf "$1"; do tries=$((tries - 1)); sleep 0.1; done
`

/** What a watcher has to end first. */
export type Watched = 'server' | 'group'

/** Removes a folder when this Node.js is gone, and ends before that the one process that uses it. */
export class Watcher {
  readonly #sh: ChildProcess
  readonly #pipe: Omit<Socket, 'unref'> & { readonly unref?: () => unknown }

  /** Starts to watch over a folder, which need not exist yet. */
  constructor(folder: string) {
    this.#sh = spawn('/bin/sh', ['-c', script, 'hypervault-watcher', folder], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    this.#pipe = this.#sh.stdin as Socket
    this.#detach()
  }

  /** From now on this process is ended too. */
  watch(kind: Watched, pid: number): void {
    this.#pipe.write(`${kind} ${pid}\n`)
  }

  /** The process has ended: its number may soon be another's. */
  forget(): void {
    if (this.#pipe.writable) this.#pipe.write('none\n')
  }

  /** Lets the watcher do its work now, and waits for its end. */
  async finish(): Promise<void> {
    if (this.#sh.pid === undefined || this.#sh.exitCode !== null || this.#sh.signalCode !== null) return
    this.#sh.ref()
    this.#pipe.end()
    // Bound: the shell ends when its input does, after it has removed a folder.
    await once(this.#sh, 'exit')
  }

  // Neither keeps Node.js running. A watcher that someone else killed must not end Node.js with an EPIPE.
  #detach(): void {
    this.#sh.on('error', () => {})
    this.#sh.unref()
    this.#pipe.on('error', () => {})
    // In Bun it has none, and does not keep the process running.
    this.#pipe.unref?.()
  }
}

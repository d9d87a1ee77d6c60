import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'

/** A program that a test started. */
export type Program = {
  name: string
  pid: number
  /** File that holds what it wrote. */
  logFile: string
  /** Fulfilled when it ends, with its exit code, or the name of the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>
  running(): boolean
  /** Sends a signal and waits for its end; what does not end within the time is killed. */
  stop(signal?: NodeJS.Signals, patienceMs?: number): Promise<number | NodeJS.Signals>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a program whose output goes to a file. It is ended with the test process at the latest. */
export function startProgram(
  name: string,
  command: string,
  args: readonly string[],
  options: { logFile: string; cwd: string; env?: Record<string, string> },
): Program {
  const log = openSync(options.logFile, 'a')
  const child = spawn(command, args, {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
  })
  closeSync(log)
  running.add(child)
  const ended = once(child, 'exit').then(([code, signal]) => {
    running.delete(child)
    return (code ?? signal) as number | NodeJS.Signals
  })
  const isRunning = () => child.exitCode === null && child.signalCode === null
  if (child.pid === undefined) throw new Error(`${name} did not start: is ${command} installed?`)
  return {
    name,
    pid: child.pid,
    logFile: options.logFile,
    ended,
    running: isRunning,
    stop: async (signal = 'SIGTERM', patienceMs = 10_000) => {
      if (isRunning()) child.kill(signal)
      const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
      const result = await ended
      clearTimeout(timer)
      return result
    },
  }
}

/** Asks again and again until the answer is something else than undefined; fails with the sentence after the time. */
export async function until<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined> | Answer | undefined,
  withinMs = 10_000,
): Promise<Answer> {
  const deadline = Date.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > deadline) throw new Error(`Waited ${withinMs} ms in vain: ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

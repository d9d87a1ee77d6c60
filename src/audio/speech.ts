import { spawn } from 'node:child_process'
import { type Env, secretVariables } from '../env.ts'
import { languages, type Speaker } from './voice.ts'

/** Speaks a text by TTS_COMMAND into a WAV file; or says why not, as a sentence. The program is run without a shell, is
 * given the text on its standard input and voice names of our own list, and none of our secrets. It must understand
 * what espeak-ng does: `-v voice --stdin --stdout`. */
export function speak(
  env: Pick<Env, 'TTS_COMMAND'>,
  text: string,
  speaker: Speaker,
): Promise<{ wav: Buffer } | { problem: string }> {
  const [program = '', ...given] = env.TTS_COMMAND.split(/\s+/).filter((word) => word !== '')
  return new Promise((resolve) => {
    const parts: Buffer[] = []
    let bytes = 0
    const fail = (reason: string) => resolve({ problem: `The speech program ${program} ${reason}.` })
    const child = spawn(program, [...given, ...voiceArguments(speaker)], {
      env: harmlessEnvironment(),
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: mostMilliseconds,
      killSignal: 'SIGKILL',
    })
    child.on('error', (error) => fail(`cannot be run (${(error as NodeJS.ErrnoException).code})`))
    child.stdin.on('error', () => {}) // it may end without reading all: its exit tells
    child.stdout.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes > mostBytes) child.kill('SIGKILL')
      else parts.push(part)
    })
    child.on('close', (code, signal) => {
      if (bytes > mostBytes) fail('wrote too much')
      else if (code !== 0) fail(signal === null ? `ended with ${code}` : 'took too long')
      else if (bytes === 0) fail('wrote nothing')
      else resolve({ wav: Buffer.concat(parts) })
    })
    child.stdin.end(text)
  })
}

const mostMilliseconds = 20_000
const mostBytes = 50 * 1024 * 1024

function voiceArguments({ voice, language }: Speaker): string[] {
  return [
    '-v',
    `${languages[language] ?? 'en-us'}+${voice === 'man' ? 'm3' : 'f3'}`,
    '-b',
    '1',
    '--stdin',
    '--stdout',
  ]
}

function harmlessEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !secretVariables.includes(name)))
}

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { freeTcpPort } from './ports.ts'
import { startProgram, until } from './programs.ts'

/** A PostgreSQL of a test's own. */
export type Postgres = { url: string; stop(): Promise<void> }

const versions = '/usr/lib/postgresql'

/** Folder of PostgreSQL's programs as Debian installs them, or null. */
export const postgresPrograms = (): string | null => {
  const newest = existsSync(versions) ? readdirSync(versions).sort().at(-1) : undefined
  return newest === undefined ? null : join(versions, newest, 'bin')
}

// PostgreSQL does not run as root.
const asItsUser = (program: string, args: string[]): [string, string[]] =>
  process.getuid?.() === 0
    ? ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', program, ...args]]
    : [program, args]

/** Starts an empty PostgreSQL on a free port; its log goes to the folder. */
export async function startPostgres(folder: string, programs: string): Promise<Postgres> {
  const home = mkdtempSync(join(tmpdir(), 'freeswitch-trunks-postgres-'))
  if (process.getuid?.() === 0) execFileSync('chown', ['postgres', home])
  const data = join(home, 'data')
  execFileSync(...asItsUser(join(programs, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'test', '--no-sync']))
  const port = await freeTcpPort()
  const program = startProgram(
    'postgres',
    ...asItsUser(join(programs, 'postgres'), ['-D', data, '-k', home, '-p', String(port), '-c', 'fsync=off']),
    { logFile: join(folder, 'postgres.log'), cwd: home },
  )
  const url = `postgres://test@127.0.0.1:${port}/postgres`
  await until('PostgreSQL answers', () => answers(url), 20_000)
  return {
    url,
    stop: async () => {
      await program.stop('SIGINT')
      rmSync(home, { recursive: true, force: true })
    },
  }
}

async function answers(url: string): Promise<true | undefined> {
  const client = postgres(url, { max: 1, connect_timeout: 2 })
  try {
    await client`SELECT 1`
    return true
  } catch {
    return undefined
  } finally {
    await client.end({ timeout: 1 })
  }
}

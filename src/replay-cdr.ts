import { readdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { readEnv } from './env.ts'

// Posts the CDRs that mod_json_cdr could not deliver and wrote to its spool (freeswitch.md 8: it never sends them
// again). What was stored is deleted; what was not stays for the next time. The same record twice is one record.

type Replayed = { stored: number; kept: string[] }

/** Posts each `*.cdr.json` of a folder to the switch listener, one at a time, oldest name first. */
export async function replay(folder: string, url: string, password: string | undefined): Promise<Replayed> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.cdr.json')).sort()
  const replayed: Replayed = { stored: 0, kept: [] }
  for (const name of files) {
    const problem = await postFile(join(folder, name), url, password)
    if (problem === null) replayed.stored++
    else replayed.kept.push(`${name}: ${problem}`)
  }
  return replayed
}

async function postFile(file: string, url: string, password: string | undefined): Promise<string | null> {
  try {
    const response = await fetch(`${url}/freeswitch/cdr`, {
      method: 'POST',
      body: await readFile(file),
      headers: { 'Content-Type': 'application/json', ...credentials(password) },
      signal: AbortSignal.timeout(10_000),
    })
    if (!response.ok) return `${response.status} ${(await response.text()).trim()}`
    await unlink(file)
    return null
  } catch (error) {
    return (error as Error).message
  }
}

const credentials = (password: string | undefined) =>
  password === undefined ? {} : { Authorization: `Basic ${btoa(`freeswitch:${password}`)}` }

/** `npm run cdr:replay -- DIR`: says what became of each file; exit 1 when any had to be kept. */
async function run(folder: string | undefined): Promise<number> {
  const env = readEnv(process.env)
  const problem =
    'problem' in env
      ? env.problem
      : folder === undefined
        ? 'Say which folder: npm run cdr:replay -- DIR'
        : null
  if (problem !== null || 'problem' in env || folder === undefined) {
    console.error(problem)
    return 1
  }
  const { stored, kept } = await replay(folder, env.SWITCH_URL, env.SWITCH_PASSWORD)
  console.log(`${stored} stored and deleted, ${kept.length} kept.`)
  for (const line of kept) console.error(line)
  return kept.length === 0 ? 0 : 1
}

if (process.argv[1] !== undefined && import.meta.filename === process.argv[1]) {
  process.exitCode = await run(process.argv[2])
}

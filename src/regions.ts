import { readFileSync } from 'node:fs'
import * as v from 'valibot'

/** A place where trunks run, with its switches (REGIONS_FILE, contract section 2). */
export type Region = v.InferOutput<typeof RegionSchema>

/** What is said of a port that is none. */
export const noPort = 'expected a port number'

/** A port number. */
export const port = v.pipe(v.number(), v.integer(noPort), v.minValue(1, noPort), v.maxValue(65535, noPort))
const oneLine = v.pipe(v.string(), v.regex(/^\P{Cc}*$/u, 'expected one line of text'))
const RegionSchema = v.strictObject({
  alias: v.pipe(v.string(), v.regex(/^[a-z0-9_-]{1,40}$/, 'expected small letters, digits, "-" or "_"')),
  identifier: v.pipe(v.string(), v.nonEmpty()),
  human_name: v.pipe(v.string(), v.nonEmpty()),
  switches: v.array(v.strictObject({ host: v.pipe(v.string(), v.nonEmpty()), port, password: oneLine })),
})

const RegionsSchema = v.pipe(
  v.array(RegionSchema, 'expected a list of regions'),
  v.minLength(1, 'expected one region or more'),
  v.check((regions) => differ(regions.map(({ alias }) => alias)), 'two regions have one alias'),
  v.check((regions) => differ(regions.flatMap(switchesOf)), 'a switch is there twice'),
)
const differ = (texts: readonly string[]) => new Set(texts).size === texts.length
const switchesOf = ({ switches }: Region) => switches.map(({ host, port }) => `${host}:${port}`)

// The regions that are there without REGIONS_FILE.
const builtInRegions: Region[] = [
  {
    alias: 'hydrogen',
    identifier: 'ap-southeast-1',
    human_name: 'South East Asia (Singapore)',
    switches: [{ host: '127.0.0.1', port: 8021, password: 'ClueCon' }],
  },
  { alias: 'helium', identifier: 'us-east-1', human_name: 'North America (N. Virginia, USA)', switches: [] },
]

/** The regions of a file of JSON, or without one the built-in ones; else why there are none, in words that quote nothing
 * of the file: it holds the passwords of the event sockets. */
export function readRegions(file: string | undefined): { regions: Region[] } | { problem: string } {
  if (file === undefined) return { regions: builtInRegions }
  const wrong = (why: string) => ({ problem: `${file} ${why}` })
  try {
    const text = readFileSync(file, 'utf8')
    const parsed = parseJson(text)
    if ('at' in parsed) return wrong(`is no JSON: ${lineAndColumn(text, parsed.at)}`)
    const read = v.safeParse(RegionsSchema, parsed.value)
    if (read.success) return { regions: read.output }
    const issue = read.issues[0]
    return wrong(`at ${v.getDotPath(issue) ?? 'its top'}: ${withoutInput(issue)}`)
  } catch (error) {
    return wrong(`cannot be read: ${(error as Error).message}`)
  }
}

// The library's own messages quote what they found, which may be a password.
const withoutInput = ({ message, expected }: v.BaseIssue<unknown>): string =>
  message.startsWith('Invalid ')
    ? `expected ${expected === 'never' ? 'nothing of this name' : expected}`
    : message

// The engine's message quotes the text around the mistake. Where that is, it tells of some mistakes only; but a text
// that is cut off before it is wrong at its end alone.
function parseJson(text: string): { value: unknown } | { at: number } {
  try {
    return { value: JSON.parse(text) }
  } catch {
    let [sound, wrong] = [0, text.length + 1]
    while (wrong - sound > 1) {
      const length = Math.floor((sound + wrong) / 2)
      if (length <= text.length && isWrongAtEnd(text.slice(0, length))) sound = length
      else wrong = length
    }
    return { at: sound }
  }
}

function isWrongAtEnd(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    return new RegExp(`end of JSON input$|at position ${text.length}\\b`).test((error as Error).message)
  }
}

function lineAndColumn(text: string, at: number): string {
  const lines = text.slice(0, at).split('\n')
  return `line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`
}

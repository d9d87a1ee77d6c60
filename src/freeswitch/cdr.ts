import * as v from 'valibot'
import type { ChannelRecord } from '../channels/finish.ts'
import { isUuid } from '../sid.ts'
import { readOutcome } from './xml-fetch.ts'

const Cdr = v.object({ variables: v.record(v.string(), v.unknown()) })

/** Reads a mod_json_cdr body (freeswitch.md 8): a record of one channel, or why it is none. */
export function readCdr(body: string): ChannelRecord | { problem: string } {
  const parsed = parseJson(body)
  const read = v.safeParse(Cdr, parsed)
  if (!read.success) return { problem: `Expected a CDR of mod_json_cdr: ${read.issues[0].message}` }
  const variable = (name: string) => text(read.output.variables[name])
  const channelUuid = variable('uuid')
  if (!isUuid(channelUuid)) return { problem: 'The variable "uuid" of the CDR is not a UUID.' }
  return {
    channelUuid,
    ringingAt: time(variable('progress_uepoch')) ?? time(variable('progress_media_uepoch')),
    answeredAt: time(variable('answer_uepoch')),
    endedAt: time(variable('end_uepoch')),
    answeredSeconds: /^\d{1,9}$/.test(variable('billsec')) ? Number(variable('billsec')) : null,
    cause: variable('hangup_cause') || 'NORMAL_UNSPECIFIED',
    sipStatus: sipStatus(variable),
    outcome: readOutcome((name) => variable(name) || null),
    record: parsed as Record<string, unknown>,
  }
}

function parseJson(body: string): unknown {
  if (depthOf(body) > mostDepth) return undefined
  try {
    return JSON.parse(body, (_, value: unknown) => storable(value))
  } catch {
    return undefined
  }
}

// A CDR is seven deep; PostgreSQL's own limit would answer with an error.
const mostDepth = 100

function depthOf(body: string): number {
  let depth = 0
  let deepest = 0
  for (const bracket of body.match(/[[{\]}]/g) ?? []) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1
    deepest = Math.max(deepest, depth)
  }
  return deepest
}

// What a caller put into a header may hold what PostgreSQL's jsonb cannot: NUL and half characters.
function storable(value: unknown): unknown {
  if (typeof value === 'string') return clean(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [clean(name), inner]))
}

const clean = (text: string) =>
  text.replace(/\0|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')

// encode-values (its default is on) leaves values percent-encoded; with it off they come as they are.
function text(value: unknown): string {
  if (typeof value !== 'string') return ''
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

// Microseconds since 1970; 0 stands for never.
function time(microseconds: string): Date | null {
  return /^[1-9]\d{12,16}$/.test(microseconds) ? new Date(Number(microseconds) / 1000) : null
}

function sipStatus(variable: (name: string) => string): number | null {
  const candidates = [
    variable('sip_term_status'),
    variable('sip_invite_failure_status'),
    variable('proto_specific_hangup_cause').replace(/^sip:/, ''),
  ]
  const found = candidates.find((candidate) => /^[2-6]\d\d$/.test(candidate))
  return found === undefined ? null : Number(found)
}

import { and, eq, inArray, isNull, like, or, type SQL } from 'drizzle-orm'
import type { Context, Hono } from 'hono'
import { toSid } from '../accounts/account.ts'
import type { Page } from '../db/rows.ts'
import { incomingPhoneNumbers as table } from '../db/schema.ts'
import type { Env } from '../env.ts'
import { changeAssignment, type IncomingSettings, releasePhoneNumber } from '../numbers/assign.ts'
import { formatted, keptAs, shown, stored } from '../numbers/e164.ts'
import type { IncomingPhoneNumber } from '../numbers/phone-number.ts'
import { selectIncomingPhoneNumbers } from '../numbers/queries.ts'
import type { Platform } from '../platform.ts'
import { apiVersion, rfc2822 } from '../webhooks/params.ts'
import type { TwilioEnv } from './authenticate.ts'
import { answerNotFound, answerProblem } from './error.ts'
import { readForm, readQuery } from './form.ts'
import { answerPage } from './page.ts'
import { type Reading, refuse, text } from './parameters.ts'
import { both, idIn, pathOf } from './path.ts'
import { method, url } from './webhook-parameters.ts'

type TwilioContext = Context<TwilioEnv>

/** IncomingPhoneNumbers: list, fetch, update and release
 * (https://www.twilio.com/docs/phone-numbers/api/incomingphonenumber-resource). Carriers assign them. */
export function serveIncomingPhoneNumbers(app: Hono<TwilioEnv>, platform: Platform): void {
  const { db, env } = platform
  const item = '/Accounts/:account/IncomingPhoneNumbers/:number'
  app.on('GET', both('/Accounts/:account/IncomingPhoneNumbers'), (c) => listNumbers(c, platform))
  app.get(item, async (c) => {
    const number = await numberAsked(c, platform)
    return number === null ? answerNotFound(c) : c.json(numberJson(number))
  })
  app.post(item, async (c) => {
    const number = await numberAsked(c, platform)
    if (number === null) return answerNotFound(c)
    const reading = await readForm(c)
    const settings = readSettings(reading, env)
    if (reading.problem !== null) return answerProblem(c, reading.problem)
    const changed = await changeAssignment(db, number, settings, [])
    return changed.type === 'done' ? c.json(numberJson(changed.value)) : answerNotFound(c)
  })
  app.delete(item, async (c) => {
    const number = await numberAsked(c, platform)
    if (number === null) return answerNotFound(c)
    await releasePhoneNumber(db, number)
    return c.body(null, 204)
  })
}

// Released ones among them.
const select = (c: TwilioContext, { db }: Platform, { where, ...page }: Page) => {
  const { id, carrierId } = c.get('account')
  return selectIncomingPhoneNumbers(db, carrierId, { ...page, where: and(eq(table.accountId, id), where) })
}

async function numberAsked(c: TwilioContext, platform: Platform): Promise<IncomingPhoneNumber | null> {
  const id = idIn('PN', c.req.param('number'))
  const number = id === null ? null : await numberOf(c, platform, id)
  return number?.status === 'active' ? number : null
}

async function numberOf(c: TwilioContext, platform: Platform, id: string) {
  const [number] = await select(c, platform, { where: eq(table.id, id), orderBy: [], limit: 1 })
  return number ?? null
}

// A part of a number finds all that have it, with `*` for any digit; after a plus, those that begin with it.
function toPattern(number: string): string {
  const compact = number.replace(/[\s().-]/g, '')
  if (!/^\+?[\d*]{1,20}$/.test(compact)) return ''
  const digits = stored(compact).replaceAll('*', '_')
  return compact.startsWith('+') ? `${digits}%` : `%${digits}%`
}

// A number without a name of its own is shown under its own digits.
function isNamed(name: string): SQL | undefined {
  const unnamed = and(isNull(table.friendlyName), inArray(table.number, keptAs(name)))
  return or(eq(table.friendlyName, name), unnamed)
}

function listNumbers(c: TwilioContext, platform: Platform): Promise<Response> {
  const reading = readQuery(c)
  const [number, name] = [text(reading, 'PhoneNumber'), text(reading, 'FriendlyName')]
  return answerPage(c, reading, {
    name: 'incoming_phone_numbers',
    path: pathOf(c.get('account').id, 'IncomingPhoneNumbers'),
    prefix: 'PN',
    seq: table.seq,
    where: and(
      eq(table.status, 'active'),
      number === null ? undefined : like(table.number, toPattern(number)),
      name === null ? undefined : isNamed(name),
    ),
    select: (page) => select(c, platform, page),
    positionOf: async (id) => (await numberOf(c, platform, id))?.seq ?? null,
    toJson: numberJson,
  })
}

const urls = {
  VoiceUrl: 'voiceUrl',
  VoiceFallbackUrl: 'voiceFallbackUrl',
  StatusCallback: 'statusCallbackUrl',
} as const
const methods = {
  VoiceMethod: 'voiceMethod',
  VoiceFallbackMethod: 'voiceFallbackMethod',
  StatusCallbackMethod: 'statusCallbackMethod',
} as const

// What is absent stays as it is; an empty URL takes it away.
function readSettings(reading: Reading, env: Env): Partial<IncomingSettings> {
  const settings: Partial<IncomingSettings> = {}
  for (const [name, key] of Object.entries(urls))
    if (reading.fields.has(name)) settings[key] = url(reading, env, name, 21402)
  for (const [name, key] of Object.entries(methods)) {
    const asked = method(reading, name, 21403)
    if (asked !== null) settings[key] = asked
  }
  if (reading.fields.has('FriendlyName')) settings.friendlyName = readFriendlyName(reading)
  return settings
}

function readFriendlyName(reading: Reading): string | null {
  const name = text(reading, 'FriendlyName')
  if (name !== null && name.length > 64)
    refuse(reading, 20002, 'FriendlyName must not be longer than 64 characters')
  return name
}

function numberJson(number: IncomingPhoneNumber) {
  const sid = toSid('PN', number.id)
  const phoneNumber = shown(number.number)
  return {
    sid,
    account_sid: toSid('AC', number.accountId),
    phone_number: phoneNumber,
    friendly_name: number.friendlyName ?? formatted(phoneNumber),
    voice_url: number.voiceUrl,
    voice_method: number.voiceMethod,
    voice_fallback_url: number.voiceFallbackUrl,
    voice_fallback_method: number.voiceFallbackMethod,
    status_callback: number.statusCallbackUrl,
    status_callback_method: number.statusCallbackMethod,
    voice_caller_id_lookup: false,
    voice_receive_mode: 'voice',
    capabilities: { voice: true, sms: false, mms: false, fax: false },
    origin: 'hosted',
    status: 'in-use',
    beta: false,
    address_requirements: 'none',
    date_created: rfc2822(number.createdAt),
    date_updated: rfc2822(number.updatedAt),
    ...{
      address_sid: null,
      identity_sid: null,
      bundle_sid: null,
      trunk_sid: null,
      emergency_status: 'Inactive',
    },
    ...{ voice_application_sid: null, emergency_address_sid: null },
    api_version: apiVersion,
    uri: `${pathOf(number.accountId, 'IncomingPhoneNumbers', sid)}.json`,
  }
}

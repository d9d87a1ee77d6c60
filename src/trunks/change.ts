import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Db } from '../db/connect.ts'
import { brokenConstraint } from '../db/violation.ts'
import { done, type Issue, issue, type Outcome, refused } from '../errors.ts'
import type { Keys } from '../secrets.ts'
import { encryptPassword, newPassword, newUsername, passwordOf } from './credentials.ts'
import {
  insertTrunkRow,
  isClientUsernameTaken,
  replaceRoutePrefixes,
  replaceSourceIps,
  type TrunkRow,
  trunkOfCarrier,
  updateTrunkRow,
} from './queries.ts'
import type { AuthenticationMode, Trunk, TrunkSettings } from './trunk.ts'

/** What a change of a trunk starts from: the trunk, or the carrier that a new one is for. */
export type TrunkOrigin = { type: 'new'; carrierId: string } | { type: 'existing'; trunk: Trunk }

/** Merges a patch into a trunk, checks the whole and saves it, all or nothing; the same values again change nothing.
 * `known` are issues already found in the patch: with any, nothing is saved and all are given back together. */
export async function changeTrunk(
  db: Db,
  keys: Keys,
  origin: TrunkOrigin,
  patch: Partial<TrunkSettings>,
  known: readonly Issue[] = [],
): Promise<Outcome<Trunk>> {
  const before = origin.type === 'new' ? null : settingsOf(keys, origin.trunk)
  const merged = mergeSettings(before, patch)
  const issues = [...known, ...uncovered(await findIssues(db, origin, merged), known)]
  if (issues.length > 0) return refused('invalid', issues)
  if (before !== null && origin.type === 'existing' && isDeepStrictEqual(before, merged))
    return done(origin.trunk)
  return save(db, keys, origin, before, merged)
}

function settingsOf(keys: Keys, trunk: Trunk): TrunkSettings {
  const { id, seq, carrierId, passwordEncrypted, version, createdAt, updatedAt, ...settings } = trunk
  return { ...settings, password: passwordOf(keys, trunk) }
}

const blank: TrunkSettings = {
  name: '',
  authenticationMode: 'ip_address',
  region: '',
  maxChannels: null,
  defaultSender: null,
  inboundCountry: null,
  sourceIps: [],
  outboundHost: null,
  outboundProxy: null,
  authUser: null,
  outboundDialStringPrefix: null,
  outboundNationalDialing: false,
  outboundPlusPrefix: false,
  outboundRoutePrefixes: [],
  username: null,
  password: null,
}

// The settings that a patch makes of those before it (null: of a new trunk). A switch of the mode clears what the old
// mode alone used unless the patch gives it anew (specification, "Update a SIP Trunk").
function mergeSettings(before: TrunkSettings | null, patch: Partial<TrunkSettings>): TrunkSettings {
  const base = before ?? blank
  const mode = patch.authenticationMode ?? base.authenticationMode
  const kept = mode === base.authenticationMode ? base : { ...base, ...ownOf[base.authenticationMode] }
  return { ...kept, ...patch, ...notOf[mode] }
}

// What a trunk loses when it leaves a mode.
const ownOf: Record<AuthenticationMode, Partial<TrunkSettings>> = {
  ip_address: { sourceIps: [] },
  client_credentials: { username: null, password: null },
  outbound_registration: { username: null, password: null, authUser: null },
}

// What a mode has no use for, whoever gives it.
const notOf: Record<AuthenticationMode, Partial<TrunkSettings>> = {
  ip_address: { username: null, password: null, authUser: null },
  client_credentials: { authUser: null },
  outbound_registration: {},
}

async function findIssues(db: Db, origin: TrunkOrigin, merged: TrunkSettings): Promise<Issue[]> {
  const missing = (['username', 'password', 'outboundHost'] as const)
    .filter((key) => merged.authenticationMode === 'outbound_registration' && merged[key] === null)
    .map((key) => issue([key], 'missing', 'is required for outbound_registration mode', registrationNeeds))
  const sources =
    merged.authenticationMode === 'ip_address' && merged.sourceIps.length === 0
      ? [issue(['sourceIps'], 'missing', 'is required for ip_address mode', addressNeeds)]
      : []
  const taken =
    merged.authenticationMode === 'client_credentials' &&
    merged.username !== null &&
    (await isClientUsernameTaken(
      db,
      merged.username,
      origin.type === 'existing' ? origin.trunk.id : unstoredId,
    ))
  const short =
    merged.authenticationMode === 'client_credentials' &&
    merged.password !== null &&
    merged.password.length < fewestPasswordCharacters
  const colon = merged.authenticationMode === 'outbound_registration' && merged.password?.includes(':')
  return [
    ...missing,
    ...sources,
    ...(taken ? [usernameTaken] : []),
    ...(short ? [passwordShort] : []),
    ...(colon ? [passwordColon] : []),
  ]
}

// Tried on 1.10.12: it registers with every other character, and answers a challenge wrongly with this one.
const passwordColon = issue(
  ['password'],
  'unusable',
  'must not have a colon',
  'FreeSWITCH cannot log in anywhere with a password that has a colon.',
)

// Anybody on the internet may try to log in as a digest user of ours.
const fewestPasswordCharacters = 8
const passwordShort = issue(
  ['password'],
  'too_short',
  `size cannot be less than ${fewestPasswordCharacters}`,
  `The password of a client_credentials trunk needs ${fewestPasswordCharacters} characters.`,
)

const unstoredId = ''
const registrationNeeds =
  'A trunk that registers at a PBX or provider needs username, password and outbound_host.'
const addressNeeds =
  'A trunk that is told by its source address needs at least one address in inbound_source_ips.'
const usernameTaken = issue(
  ['username'],
  'taken',
  'has already been taken',
  'Another client_credentials trunk has this user name.',
)

// A rule says nothing of an attribute that is already known to be wrong, nor of any when the mode itself is.
function uncovered(found: readonly Issue[], known: readonly Issue[]): Issue[] {
  const wrong = new Set(known.map(({ path }) => path[0]))
  return wrong.has('authenticationMode') ? [] : found.filter(({ path }) => !wrong.has(path[0]))
}

const usernameTries = 10

// A generated user name is tried again when another trunk has it; a chosen one is refused, also when two carriers
// choose it at the same moment.
async function save(
  db: Db,
  keys: Keys,
  origin: TrunkOrigin,
  before: TrunkSettings | null,
  merged: TrunkSettings,
): Promise<Outcome<Trunk>> {
  const generates = merged.authenticationMode === 'client_credentials' && merged.username === null
  for (let attempt = 1; attempt <= usernameTries; attempt++) {
    try {
      return done(await db.transaction((tx) => write(tx, keys, origin, before, withCredentials(merged))))
    } catch (error) {
      if (brokenConstraint(error) !== 'sip_trunks_client_username_key') throw error
      if (!generates) return refused('invalid', [usernameTaken])
    }
  }
  throw new Error(`No free user name in ${usernameTries} tries.`)
}

function withCredentials(settings: TrunkSettings): TrunkSettings {
  if (settings.authenticationMode !== 'client_credentials') return settings
  return {
    ...settings,
    username: settings.username ?? newUsername(),
    password: settings.password ?? newPassword(),
  }
}

async function write(
  db: Db,
  keys: Keys,
  origin: TrunkOrigin,
  before: TrunkSettings | null,
  settings: TrunkSettings,
): Promise<Trunk> {
  const row = toRow(keys, origin, before, settings)
  await (origin.type === 'new' ? insertTrunkRow(db, row) : updateTrunkRow(db, row))
  if (!isDeepStrictEqual(before?.sourceIps, settings.sourceIps))
    await replaceSourceIps(db, row.id, settings.sourceIps)
  if (!isDeepStrictEqual(before?.outboundRoutePrefixes, settings.outboundRoutePrefixes))
    await replaceRoutePrefixes(db, row, settings.outboundRoutePrefixes)
  const saved = await trunkOfCarrier(db, row.carrierId, row.id)
  if (saved === null) throw new Error(`Trunk ${row.id} vanished while it was saved.`)
  return saved
}

function toRow(
  keys: Keys,
  origin: TrunkOrigin,
  before: TrunkSettings | null,
  settings: TrunkSettings,
): TrunkRow {
  const { password, sourceIps, outboundRoutePrefixes, ...columns } = settings
  const trunk = origin.type === 'existing' ? origin.trunk : null
  const id = trunk?.id ?? randomUUID()
  // A password that cannot be read counts as none: it is not kept.
  const kept = password === null || password !== before?.password ? null : (trunk?.passwordEncrypted ?? null)
  const passwordEncrypted = kept ?? (password === null ? null : encryptPassword(keys, id, password))
  return {
    ...columns,
    id,
    carrierId: origin.type === 'new' ? origin.carrierId : origin.trunk.carrierId,
    passwordEncrypted,
    version: trunk === null ? 1 : trunk.version + (changesWhatRuns(before, settings) ? 1 : 0),
  }
}

// What FreeSWITCH holds of a trunk (specification, "Update a SIP Trunk"): a gateway or a digest user, in a region.
const running = [
  'authenticationMode',
  'region',
  'username',
  'password',
  'outboundHost',
  'outboundProxy',
  'authUser',
] as const

const changesWhatRuns = (before: TrunkSettings | null, after: TrunkSettings): boolean =>
  running.some((key) => before?.[key] !== after[key])

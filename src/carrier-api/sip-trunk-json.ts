import * as v from 'valibot'
import { authenticationModes } from '../db/schema.ts'
import type { FieldNames } from '../json-api/attribute.ts'
import { described, line, preset, readBy, set, timestamps } from '../json-api/schemas.ts'
import { countryCodes } from '../numbers/countries.ts'
import type { Platform } from '../platform.ts'
import type { Region } from '../regions.ts'
import { toHost, toSipUser } from '../sip-uri.ts'
import type { Registration } from '../switches/registration.ts'
import { passwordOf } from '../trunks/credentials.ts'
import { toNetwork } from '../trunks/network.ts'
import type { Trunk } from '../trunks/trunk.ts'
import type { Warning } from '../trunks/warnings.ts'
import { registrationMeta } from './registration-json.ts'

/** Attributes of a trunk whose field is called otherwise inside. */
export const trunkFieldNames = { inbound_source_ips: 'sourceIps' } as const satisfies FieldNames

const host = readBy((text) => {
  const value = toHost(text)
  return value === null ? { problem: 'must be host or host:port' } : { value: String(value) }
})
const username = readBy((text) => {
  const value = toSipUser(text)
  return value === null
    ? { problem: 'must be 1 to 64 letters, digits and . _ + - * #' }
    : { value: String(value) }
})
const authUser = v.pipe(
  v.string(),
  v.maxLength(60),
  v.regex(/^[A-Za-z0-9._+*#@-]+$/, 'must be letters, digits and . _ + - * # @'),
)
// FreeSWITCH expands ${…} in what it is configured with (freeswitch.md 2.5).
const password = v.pipe(
  line(128),
  v.check((text) => !text.includes('${'), 'must not have ${'),
)
const country = v.picklist(countryCodes, 'must be an ISO 3166-1 alpha-2 country code')
const channels = v.pipe(v.number('must be an integer'), v.integer(), v.gtValue(0), v.maxValue(2_147_483_647))
const sender = v.pipe(
  v.string(),
  v.regex(/^\+?\d{1,15}$/, 'must be 1 to 15 digits'),
  v.transform((text) => text.replace('+', '')),
)
const dialPrefix = v.pipe(
  v.string(),
  v.regex(/^\+?[0-9*#]{1,15}$/, 'must be 1 to 15 digits, * or #, after one + at most'),
)
const routePrefix = v.pipe(v.string(), v.regex(/^\d{1,15}$/, 'must be 1 to 15 digits'))

// A trunk that was read can be sent back as it is, so the answered form of a region is understood too.
function region(regions: readonly Region[]) {
  const aliases = regions.map(({ alias }) => alias)
  const alias = v.picklist(aliases)
  return v.union(
    [
      alias,
      v.pipe(
        v.object({ table: v.object({ alias }) }),
        v.transform(({ table }) => table.alias),
      ),
    ],
    `must be one of: ${aliases.join(', ')}`,
  )
}

/** The attributes that a trunk may be given, each with its rule (specification, "Attributes" and "Validation Rules";
 * contract section 5). */
export const trunkEntries = (regions: readonly Region[]) => ({
  name: described(line(255), 'Name of the SIP trunk.'),
  authentication_mode: described(v.picklist(authenticationModes), 'How the trunk proves who it is.'),
  region: described(region(regions), 'Alias of the region where the trunk runs.'),
  max_channels: described(v.nullable(channels), 'Calls at once in both directions; null: no limit.'),
  default_sender: described(
    v.nullable(sender),
    'Caller ID, digits, that calls forwarded by this trunk show where the caller has told none that can be shown.',
  ),
  inbound_country: described(
    v.nullable(country),
    'The country whose way of dialling incoming numbers follow.',
  ),
  inbound_source_ips: described(
    set(readBy(toNetwork), 500),
    'IPv4 and IPv6 addresses or CIDR networks that calls of an `ip_address` trunk come from.',
  ),
  outbound_host: described(
    v.nullable(host),
    '`host` or `host:port` that calls go to and that is registered at.',
  ),
  outbound_proxy: described(
    v.nullable(v.pipe(v.string(), v.maxLength(100), host)),
    '`host` or `host:port` to go through.',
  ),
  auth_user: described(
    v.nullable(authUser),
    'User name of digest authentication where it is not `username`.',
  ),
  outbound_dial_string_prefix: described(v.nullable(dialPrefix), 'Dialled before the number.'),
  outbound_national_dialing: described(
    preset(v.boolean(), false),
    'Whether numbers are dialled in their national format.',
  ),
  outbound_plus_prefix: described(preset(v.boolean(), false), 'Whether `+` is dialled before the number.'),
  outbound_route_prefixes: described(
    set(routePrefix, 1000),
    'What numbers called through this trunk begin with; the longest match wins. Empty: every number.',
  ),
  username: described(
    v.nullable(username),
    'SIP user name. Required for `outbound_registration`; generated for `client_credentials` unless given.',
  ),
  password: described(
    v.nullable(password),
    'SIP password. Required for `outbound_registration`; generated for `client_credentials` unless given. ' +
      'Answered as null where what is stored cannot be read: send it again.',
  ),
})

/** Attributes of a trunk that are answered only, or in another form than they are sent in. */
export const trunkAnswered = {
  region: described(
    v.object({
      table: v.object({ identifier: v.string(), alias: v.string(), human_name: v.string() }),
    }),
    'Where the trunk runs.',
  ),
  ...timestamps,
}

/** A trunk as its attributes are answered; user name and password only in the modes that have them (specification,
 * "Conditional Response Fields"). */
export function trunkAttributes(trunk: Trunk, platform: Platform): Record<string, unknown> {
  return {
    name: trunk.name,
    authentication_mode: trunk.authenticationMode,
    region: { table: regionTable(trunk.region, platform.env.regions) },
    max_channels: trunk.maxChannels,
    default_sender: trunk.defaultSender,
    inbound_country: trunk.inboundCountry,
    inbound_source_ips: trunk.sourceIps,
    outbound_host: trunk.outboundHost,
    outbound_proxy: trunk.outboundProxy,
    auth_user: trunk.authUser,
    outbound_dial_string_prefix: trunk.outboundDialStringPrefix,
    outbound_national_dialing: trunk.outboundNationalDialing,
    outbound_plus_prefix: trunk.outboundPlusPrefix,
    outbound_route_prefixes: trunk.outboundRoutePrefixes,
    ...(trunk.authenticationMode !== 'ip_address' && {
      username: trunk.username,
      password: shownPassword(trunk, platform),
    }),
    created_at: trunk.createdAt.toISOString(),
    updated_at: trunk.updatedAt.toISOString(),
  }
}

// One trunk that cannot be read must not hide the others: it shows null, and takes a new password.
function shownPassword(trunk: Trunk, { keys, log }: Platform): string | null {
  const password = passwordOf(keys, trunk)
  if (password === null && trunk.passwordEncrypted !== null)
    log.error({ trunkId: trunk.id }, 'The password of a trunk cannot be read')
  return password
}

// A trunk may outlive its region's line in REGIONS_FILE.
function regionTable(alias: string, regions: readonly Region[]) {
  const region = regions.find((known) => known.alias === alias)
  return { identifier: region?.identifier ?? null, alias, human_name: region?.human_name ?? null }
}

/** What is said of a trunk beside its attributes, or null when there is nothing to say. */
export function trunkMeta(
  warnings: readonly Warning[],
  registration: Registration | undefined,
): Record<string, unknown> | null {
  const told = warnings.map(({ sipTrunkId, ...warning }) => ({ ...warning, sip_trunk_id: sipTrunkId }))
  const meta = {
    ...(told.length === 0 ? {} : { warnings: told }),
    ...(registration === undefined ? {} : { registration: registrationMeta(registration) }),
  }
  return Object.keys(meta).length === 0 ? null : meta
}

import { sql } from 'drizzle-orm'
import { type Db, rows } from '../db/connect.ts'
import { canDialOut } from './choose.ts'
import type { Trunk } from './trunk.ts'

/** Something legal that will surprise: with which trunk it is, and what will happen. */
export type Warning = { code: string; title: string; detail: string; sipTrunkId: string | null }

const mostWarnings = 20

/** What is ambiguous about a trunk beside the carrier's other trunks, by the rules of identify.ts and choose.ts. Nothing
 * is said of other carriers: there the dialled number decides, and whose it is, is nobody else's business. */
export async function findWarnings(db: Db, trunk: Trunk): Promise<Warning[]> {
  const sources = trunk.authenticationMode === 'ip_address' ? await sharedSources(db, trunk) : []
  const prefixes = canDialOut(trunk) ? await sharedPrefixes(db, trunk) : []
  return [
    ...sources.map((shared) => sourceWarning(shared)),
    ...prefixes.map((shared) => prefixWarning(trunk, shared)),
  ]
}

type SharedSource = {
  id: string
  name: string
  own: string
  other: string
  own_length: number
  other_length: number
}

const sharedSources = (db: Db, { id, carrierId }: Trunk): Promise<SharedSource[]> =>
  rows(
    db,
    sql`
    SELECT t.id, t.name, abbrev(own.network) AS own, abbrev(other.network) AS other,
      masklen(own.network) AS own_length, masklen(other.network) AS other_length
    FROM sip_trunk_source_ips own
    JOIN sip_trunk_source_ips other ON other.network && own.network AND other.trunk_id <> own.trunk_id
    JOIN sip_trunks t ON t.id = other.trunk_id AND t.carrier_id = ${carrierId}::uuid
      AND t.authentication_mode = 'ip_address'
    WHERE own.trunk_id = ${id}::uuid
    ORDER BY own.position, t.seq LIMIT ${mostWarnings}`,
  )

function sourceWarning({ id, name, own, other, own_length, other_length }: SharedSource): Warning {
  if (own_length === other_length)
    return {
      code: 'ambiguous_source',
      title: 'shares a source address',
      detail: `The trunk "${name}" lists ${other} too. Calls from there fit both trunks and are refused as ambiguous.`,
      sipTrunkId: id,
    }
  const [narrow, winner] = own_length > other_length ? [own, 'this trunk'] : [other, `the trunk "${name}"`]
  return {
    code: 'overlapping_source',
    title: 'overlaps with a source address',
    detail: `${own} overlaps with ${other} of the trunk "${name}". Calls from ${narrow} are those of ${winner}, which lists the narrower network.`,
    sipTrunkId: id,
  }
}

type SharedPrefix = { prefix: string; id: string; name: string; older: boolean; others: number }

// More trunks with one prefix are not told apart: that would cost the more the more there are.
const mostCompared = 50

// For each prefix the oldest of the others. Trunks dedicated to an account are chosen by it alone, and those that
// cannot dial out by nobody.
const sharedPrefixes = (db: Db, { id, carrierId, seq }: Trunk): Promise<SharedPrefix[]> =>
  rows(
    db,
    sql`
    WITH own AS (
      SELECT p.prefix, p.position FROM sip_trunk_route_prefixes p
      WHERE p.trunk_id = ${id}::uuid
        AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.sip_trunk_id = ${id}::uuid)
        AND EXISTS (
          SELECT 1 FROM sip_trunk_route_prefixes o
          WHERE o.carrier_id = ${carrierId}::uuid AND o.prefix = p.prefix AND o.trunk_id <> p.trunk_id)
      ORDER BY p.position LIMIT ${mostWarnings}
    )
    SELECT own.prefix, (array_agg(shared.id ORDER BY shared.seq))[1] AS id,
      (array_agg(shared.name ORDER BY shared.seq))[1] AS name, min(shared.seq) < ${seq}::bigint AS older,
      count(*)::integer AS others
    FROM own CROSS JOIN LATERAL (
      SELECT t.id, t.name, t.seq
      FROM (
        SELECT o.trunk_id FROM sip_trunk_route_prefixes o
        WHERE o.carrier_id = ${carrierId}::uuid AND o.prefix = own.prefix AND o.trunk_id <> ${id}::uuid
        OFFSET 0
      ) AS other
      JOIN sip_trunks t ON t.id = other.trunk_id
      WHERE (t.outbound_host IS NOT NULL OR t.authentication_mode = 'client_credentials')
        AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.sip_trunk_id = t.id)
      LIMIT ${mostCompared + 1}
    ) AS shared
    GROUP BY own.prefix, own.position
    ORDER BY own.position`,
  )

function prefixWarning(trunk: Trunk, { prefix, id, name, older, others }: SharedPrefix): Warning {
  const what = prefix === '' ? 'no route prefixes' : `the route prefix ${prefix}`
  const warning = { code: 'ambiguous_prefix', title: 'shares a route prefix' }
  if (others > mostCompared) {
    const detail = `More than ${mostCompared} trunks have ${what} too. The oldest of them takes all of these calls.`
    return { ...warning, detail, sipTrunkId: null }
  }
  const who = others === 1 ? `The trunk "${name}" has` : `The trunk "${name}" and others have`
  const detail = `${who} ${what} too. The oldest trunk takes all of these calls: "${older ? name : trunk.name}".`
  return { ...warning, detail, sipTrunkId: id }
}

import { eq } from 'drizzle-orm'
import { switches } from '../db/schema.ts'
import type { Platform } from '../platform.ts'

/** What a switch says of itself in a fetch. */
export type SwitchClaim = { switchName: string; switchAddresses: readonly string[] }

/** The region of the switch that asks, or null when it is none of ours: by the name that it told over its event socket,
 * else by its addresses, else the only region that has switches. */
export async function regionOfSwitch(platform: Platform, claim: SwitchClaim): Promise<string | null> {
  const [known] = await platform.db
    .select({ region: switches.region })
    .from(switches)
    .where(eq(switches.name, claim.switchName))
    .limit(1)
  if (known) return known.region
  const { regions } = platform.env
  const addressed = regions.find((region) =>
    region.switches.some(({ host }) => claim.switchAddresses.includes(host)),
  )
  if (addressed) return addressed.alias
  const manned = regions.filter((region) => region.switches.length > 0)
  return manned.length === 1 ? (manned[0]?.alias ?? null) : null
}

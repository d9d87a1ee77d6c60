import { setTimeout as pause } from 'node:timers/promises'
import { eq } from 'drizzle-orm'
import type { Hono } from 'hono'
import { phoneCalls } from '../../src/db/schema.ts'
import type { Platform } from '../../src/platform.ts'
import { actionsOf, capturedCdr, capturedFetch, post } from './fetches.ts'

/** A call that a switch runs, as a test plays it. */
export type PlayedCall = { id: string; channelUuid: string }

/** Plays the switch towards calls from a listed address, each on a channel of its own. */
export function playSwitch(platform: Platform, app: Hono) {
  let channels = 0
  const freshUuid = () => `00000000-0000-4000-8000-${String(++channels).padStart(12, '0')}`

  const fetched = async (name: string, changes: Record<string, string | null>) =>
    actionsOf(await (await post(app, '/freeswitch/xml', capturedFetch(name, changes))).text())

  /** The call comes back from the verb at `<step>.<index>`, a Dial that ended so; `told`: what else the switch says. */
  const comeBack = (
    call: PlayedCall,
    at: string,
    disposition: string,
    told: { variable_bridge_uuid?: string; variable_originate_causes?: string } = {},
  ) =>
    fetched('dialplan-after-dial-busy', {
      ...{ 'Unique-ID': call.channelUuid, 'Hunt-Destination-Number': call.id },
      ...{ variable_twiml_at: at, variable_originate_disposition: disposition, variable_bridge_uuid: null },
      ...{ variable_originate_causes: null, ...told },
    })

  /** A call arrives for a number: its row, and what the switch is to do once its TwiML is there. */
  const arrive = async (number: string) => {
    const channelUuid = freshUuid()
    const first = await fetched('dialplan-inbound-source-ip', {
      ...{ 'Unique-ID': channelUuid, 'Hunt-Destination-Number': number },
    })
    const [row] = await platform.db.select().from(phoneCalls).where(eq(phoneCalls.channelUuid, channelUuid))
    if (row === undefined) throw new Error('The call was not let in.')
    const call = { ...row, channelUuid }
    // On a busy machine its webhook may be late: then the call waits for it.
    let actions = first
    for (let looks = 0; looks < 50 && actions.includes('set twiml_at=1.start'); looks++) {
      await pause(100)
      actions = await comeBack(call, '1.start', '')
    }
    return { call, actions }
  }

  /** The record of a channel comes in, with some of its variables changed. */
  const cdr = (channelUuid: string, variables: Record<string, string> = {}) => {
    const record = JSON.parse(capturedCdr('cdr-inbound-gather'))
    Object.assign(record.variables, { uuid: channelUuid, ...variables })
    return post(app, '/freeswitch/cdr', JSON.stringify(record), 'application/json')
  }

  return { freshUuid, arrive, comeBack, cdr }
}

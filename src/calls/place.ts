import { type Leg, legMarksPlaced, uriEndpoint } from '../dialplan-action.ts'
import type { Commands, Originated, Result } from '../event-socket/commands.ts'
import type { Platform } from '../platform.ts'
import { toDialledNumber, toSipUri, toSipUser } from '../sip-uri.ts'
import { endpoint, shownNumber } from '../trunks/dial-string.ts'
import type { Trunk } from '../trunks/trunk.ts'
import { isOver } from './call.ts'
import { giveBack, type TakenCall } from './place-queries.ts'
import { advance } from './progress.ts'

/** What became of the attempt to have a switch place a call: it has the order, or the call cannot be placed so (it is then
 * over, or in the queue of another trunk); it was not reached and the call is in the queue again; or nobody can tell,
 * until the switch can be asked (recover.ts). */
export type Placed = 'settled' | 'given back' | 'unclear'

/** Has a switch place a call that was taken from the queue; done when the switch has said that it has the order, so that
 * calls are placed in the order in which they are handed to this. What becomes of the call follows by itself. */
export async function place(
  platform: Platform,
  commands: Commands,
  call: TakenCall,
  way: { trunk: Trunk | null; contact: string | null },
): Promise<Placed> {
  const leg = toLeg(call, way)
  if (leg === null) return end(platform, call, way.trunk === null ? noRoute : notRegistered)
  const patienceSeconds = timeoutOf(call) + 30
  let originating: Promise<Result<Originated>> | undefined
  const accepted = await new Promise<'accepted' | Result<Originated>>((resolve, reject) => {
    originating = commands.originate(leg, call.id, patienceSeconds, () => resolve('accepted'))
    originating.then(resolve, reject)
  })
  if (accepted !== 'accepted') return settleUnaccepted(platform, call, accepted)
  await tellPlaced(platform, commands, call)
  follow(platform, commands, call, originating).catch((error) =>
    platform.log.error({ err: error, callId: call.id }, 'The outcome of a call could not be taken in'),
  )
  return 'settled'
}

/** Notes that a switch has the order. A call that the API has cancelled meanwhile is hung up. */
export async function tellPlaced(platform: Platform, commands: Commands, call: TakenCall): Promise<void> {
  const moved = await advance(platform.db, { channelUuid: call.channelUuid }, {})
  if (moved !== null && isOver(moved.status)) await commands.hangUp(call.channelUuid, 'ORIGINATOR_CANCEL')
}

const noRoute = { cause: 'NO_ROUTE_DESTINATION', sipStatus: 404 }
const notRegistered = { cause: 'SUBSCRIBER_ABSENT', sipStatus: 480 }

/** Ends a call that cannot be placed. */
async function end({ db }: Platform, call: TakenCall, why: { cause: string; sipStatus: number | null }): Promise<Placed> {
  await advance(db, { channelUuid: call.channelUuid }, { end: { ...why, at: new Date() } })
  return 'settled'
}

const timeoutOf = ({ instructions }: TakenCall) => instructions.order?.timeoutSeconds ?? 60

// freeswitch.md 7: without ignore_early_media a 183 would count as an answer. A redirection is not followed (6.5).
function toLeg(call: TakenCall, way: { trunk: Trunk | null; contact: string | null }): Leg | null {
  const target = targetOf(call, way)
  if (target === null) return null
  return {
    endpoint: target,
    variables: {
      origination_uuid: call.channelUuid,
      ...legMarksPlaced(call.channelUuid),
      app_disable_expand_variables: 'true',
      max_session_transfers: '10000',
      ignore_early_media: 'true',
      outbound_redirect_fatal: 'true',
      originate_timeout: String(timeoutOf(call)),
      origination_caller_id_number: callerIdOf(call, way.trunk),
      sip_cid_type: 'pid',
    },
  }
}

function targetOf(call: TakenCall, { trunk, contact }: { trunk: Trunk | null; contact: string | null }): string | null {
  if (trunk !== null) return endpoint(trunk, call.to, contact)
  const uri = toSipUri(call.to)
  return uri === null ? null : uriEndpoint(uri)
}

// From is one of the account's numbers, so it is digits with or without a plus.
function callerIdOf({ from }: TakenCall, trunk: Trunk | null): string {
  const shown = trunk === null ? from : (shownNumber(trunk, from) ?? from)
  return toDialledNumber(shown) ?? toSipUser(shown) ?? 'anonymous'
}

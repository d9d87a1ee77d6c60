import type { Account } from '../accounts/account.ts'
import { channelStep, type Explanation } from '../calls/explanation.ts'
import type { Db } from '../db/connect.ts'
import { contactOf } from '../dialling/queries.ts'
import { refusedSipHost } from '../dialling/sip-host.ts'
import { uriEndpoint } from '../dialplan-action.ts'
import { meaningOf, normalise, stored } from '../numbers/e164.ts'
import type { Platform } from '../platform.ts'
import { isSipUri, toSipUri } from '../sip-uri.ts'
import { chooseTrunks } from '../trunks/choose.ts'
import { endpoint } from '../trunks/dial-string.ts'
import type { Step } from '../trunks/identify.ts'
import { ownNumber } from './order.ts'

/** What would become of a call that an account places, and how it would be dialled. */
export type OutboundExplanation = Explanation & { dialString: string | null }

/** Explains a call that an account would place, by the very functions that choose its trunk and write its dial string. */
export async function explainOutbound(
  platform: Platform,
  account: Account,
  numbers: { to: string; from: string },
): Promise<OutboundExplanation> {
  if (isSipUri(numbers.to)) return explainSipUri(platform, account, numbers)
  const meaning = meaningOf(numbers.to, null)
  if (meaning.kind === 'other') {
    return { ...nowhere, steps: [], refusal: notDialled(`${numbers.to} is not a valid phone number.`) }
  }
  const { db } = platform
  const asker = await askerSteps(db, account, numbers.from)
  const { trunks, steps: chosen } = await chooseTrunks(db, account, meaning.number)
  const [trunk] = trunks
  const channels = trunk === undefined ? [] : [await channelStep(db, trunk)]
  const steps = [...asker, ...chosen, ...channels]
  const refused = refusalOf(asker)
  if (refused !== null) return { ...nowhere, steps, refusal: refused }
  if (trunk === undefined)
    return { ...nowhere, steps, refusal: { code: 13224, message: 'No trunk can dial this number.' } }
  const dialString = endpoint(trunk, meaning.number, await contactOf(db, trunk))
  const refusal = dialString === null ? unreachable : null
  return { ...nowhere, steps, trunkId: trunk.id, dialString, refusal }
}

const nowhere = { trunkId: null, dialString: null }

const notDialled = (message: string) => ({ code: 21211, message })

// A SIP URI is called without a trunk.
async function explainSipUri(
  { db, env }: Platform,
  account: Account,
  { to, from }: { to: string; from: string },
): Promise<OutboundExplanation> {
  const uri = toSipUri(to)
  if (uri === null) return { ...nowhere, steps: [], refusal: notDialled(`${to} is not a valid SIP address.`) }
  const inside = refusedSipHost(env, uri.host)
  if (inside !== null)
    return { ...nowhere, steps: [], refusal: notDialled(`${to} cannot be called. ${inside}`) }
  const steps = await askerSteps(db, account, from)
  const refusal = refusalOf(steps)
  return { ...nowhere, steps, dialString: refusal === null ? uriEndpoint(uri) : null, refusal }
}

const unreachable = { code: 480, message: 'The client of the trunk is not registered.' }

const accountStep = ({ id, carrierId, name, status }: Account): Step => ({
  looked_at: 'account',
  carrierId,
  id,
  name,
  kept: status === 'enabled',
  reason: `The account is ${status}.`,
})

const askerSteps = async (db: Db, account: Account, from: string): Promise<Step[]> => [
  accountStep(account),
  ...(await callerSteps(db, account, from)),
]

function refusalOf(asker: readonly Step[]): Explanation['refusal'] {
  const refused = asker.find(({ kept }) => !kept)
  return refused === undefined ? null : { code: codeOf(refused), message: refused.reason }
}

async function callerSteps(db: Db, account: Account, from: string): Promise<Step[]> {
  if (from === '') return []
  const number = normalise(from, null)
  const own = await ownNumber(db, account, stored(number))
  const what = own === null ? 'no active incoming phone number' : 'an active incoming phone number'
  return [
    {
      looked_at: 'incoming_phone_number',
      carrierId: account.carrierId,
      id: own?.id ?? null,
      name: number,
      kept: own !== null,
      reason: `${number} is ${what} of the account.`,
    },
  ]
}

const codeOf = ({ looked_at }: Step): number => (looked_at === 'account' ? 20005 : 21210)

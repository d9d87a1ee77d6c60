import { randomUUID } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { cdrs, phoneCalls } from '../../src/db/schema.ts'
import { eventually } from '../support/eventually.ts'
import { type Placing, startPlacing } from '../support/placing.ts'

// A switch answers an inbound channel only by a document of ours, whose call is stored before. An INVITE with `Replaces`
// makes its way past the dialplan; test/live/replaces.test.ts sends them.

let placing: Placing

afterEach(() => placing.close())

const answered = (uuid: string, direction: string) =>
  placing.fake.emit({ 'Event-Name': 'CHANNEL_ANSWER', 'Unique-ID': uuid, 'Call-Direction': direction })
const killed = () => placing.fake.commands.filter((command) => command.startsWith('uuid_kill'))
const arrived = (channelUuid: string) => {
  const { carrier, account } = placing.tenant
  const numbers = {
    from: '+19175551234',
    to: '+14155551234',
    direction: 'inbound',
    status: 'ringing',
  } as const
  return placing.platform.db.insert(phoneCalls).values({
    ...{ ...numbers, carrierId: carrier.id, accountId: account.id, channelUuid },
    ...{ switchName: placing.fake.name, startedAt: new Date() },
  })
}

test('an inbound channel that is answered and no call is hung up at once, and no other', async () => {
  placing = await startPlacing()
  const [stranger, known, leg] = [randomUUID(), randomUUID(), randomUUID()]
  await arrived(known)
  answered(leg, 'outbound')
  answered(known, 'inbound')
  answered(stranger, 'inbound')
  await eventually(() => expect(killed()).not.toEqual([]))
  expect(killed()).toEqual([`uuid_kill ${stranger} NORMAL_CLEARING`])
  expect(await placing.platform.db.select().from(phoneCalls)).toHaveLength(1)
  expect(await placing.platform.db.select().from(cdrs)).toEqual([])
})

test('one whose answer was not heard is hung up when it is found twice', async () => {
  placing = await startPlacing()
  const { channels, answeredInbound } = placing.fake
  const [stranger, known, leg] = [randomUUID(), randomUUID(), randomUUID()]
  await arrived(known)
  for (const uuid of [stranger, known, leg, 'no-uuid']) channels.add(uuid)
  for (const uuid of [stranger, known, 'no-uuid']) answeredInbound.add(uuid)
  await eventually(() => expect(killed()).not.toEqual([]))
  channels.delete(stranger)
  await new Promise((resolve) => setTimeout(resolve, 600))
  expect(new Set(killed())).toEqual(new Set([`uuid_kill ${stranger} NORMAL_CLEARING`]))
})

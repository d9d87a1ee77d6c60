import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { gatewayEndpoint, legMarksPlaced } from '../../src/dialplan-action.ts'
import { type Commands, createCommands } from '../../src/event-socket/commands.ts'
import { EventSocket } from '../../src/event-socket/connection.ts'
import { readRegistrations } from '../../src/event-socket/status.ts'
import { toDialledNumber, toSipUser } from '../../src/sip-uri.ts'
import { eventually } from '../support/eventually.ts'
import { type FakeFreeswitch, startFakeFreeswitch } from '../support/fake-freeswitch.ts'

const id = '0b2f4f6e-7c1d-4a53-9a44-0d1c5c4f8a11'
const other = '1b2f4f6e-7c1d-4a53-9a44-0d1c5c4f8a12'
let fake: FakeFreeswitch
let socket: EventSocket
let commands: Commands

beforeAll(async () => {
  fake = await startFakeFreeswitch()
  socket = new EventSocket(fake, { up: () => {}, down: () => {}, event: () => {} })
  socket.open()
  await eventually(() => expect(socket.isUp).toBe(true))
  commands = createCommands(socket)
})
afterAll(async () => {
  await socket.close()
  await fake.close()
})

const last = () => fake.commands.filter((command) => command !== 'strepoch').at(-1)

test('gateways', async () => {
  expect(await commands.gatewayVersion(id)).toEqual({ kind: 'done', value: null })
  expect(await commands.gatewayStatus(id)).toEqual({ kind: 'done', value: null })
  expect(await commands.killGateway(id)).toEqual({ kind: 'refused', problem: '-ERR no such gateway.' })
  fake.serve = () => 3
  expect(await commands.startGateway(id)).toEqual({ kind: 'done', value: null })
  expect(last()).toBe(`sofia profile nat_gateway startgw ${id}`)
  expect(await commands.gatewayVersion(id)).toEqual({ kind: 'done', value: 3 })
  await eventually(async () =>
    expect(await commands.gatewayStatus(id)).toEqual({
      kind: 'done',
      value: { state: 'REGED', up: true, retrySeconds: null },
    }),
  )
  fake.registrar = () => ({ code: 403, phrase: 'Forbidden' })
  await commands.startGateway(other)
  await eventually(async () =>
    expect(await commands.gatewayStatus(other)).toEqual({
      kind: 'done',
      value: { state: 'FAIL_WAIT', up: false, retrySeconds: 27 },
    }),
  )
  expect(await commands.listGateways()).toEqual({ kind: 'done', value: { up: [id], down: [other] } })
  expect(await commands.killGateway(id)).toEqual({ kind: 'done', value: null })
  expect(last()).toBe(`sofia profile nat_gateway killgw ${id}`)
  expect(await commands.gatewayVersion(id)).toEqual({ kind: 'done', value: null })
  await eventually(async () =>
    expect(await commands.listGateways()).toEqual({ kind: 'done', value: { up: [], down: [other] } }),
  )
})

test('a profile that does not run yet refuses', async () => {
  fake.answer = (command) =>
    command.includes('profile nat_gateway') ? 'Invalid Profile [nat_gateway]' : undefined
  const refused = { kind: 'refused', problem: 'Invalid Profile [nat_gateway]' }
  expect(await commands.listGateways()).toEqual(refused)
  expect(await commands.startGateway(id)).toEqual(refused)
  expect(await commands.registrations()).toEqual(refused)
  fake.answer = () => undefined
})

test('registrations', async () => {
  const registration = {
    username: 'cc1',
    registrationId: 'abc</call-id><call-id>x@host',
    contact: '"A & B" <sip:cc1@192.0.2.77:5062;transport=udp>',
    mark: `7.${id}@trunks`,
    expiresSeconds: 120,
  }
  fake.register(registration)
  expect(await commands.registrations()).toEqual({
    kind: 'done',
    value: [{ ...registration, userAgent: 'Test phone <1>', networkIp: '192.0.2.77', networkPort: 5062 }],
  })
  const user = toSipUser('cc1')
  if (user === null) throw new Error('cc1 is a user')
  expect(await commands.flushUser(user, 'trunks')).toEqual({ kind: 'done', value: null })
  expect(last()).toBe('sofia profile nat_gateway flush_inbound_reg cc1@trunks')
  expect(await commands.registrations()).toEqual({ kind: 'done', value: [] })
  // A user, all users, everybody.
  const meaningMore = ['victim@trunks', 'victim@TRUNKS', 'trunks', 'reboot', 'Reboot']
  expect(await commands.flushContact('2f0b~x!1-[a]@192.0.2.1', 'trunks')).toEqual({
    kind: 'done',
    value: null,
  })
  expect(last()).toBe('sofia profile nat_gateway flush_inbound_reg 2f0b~x!1-[a]@192.0.2.1')
  for (const callId of ['a b', 'a reboot', 'a\nb', '"a"', "it's", 'a\\b', 'a@b@c', '', ...meaningMore]) {
    expect(await commands.flushContact(callId, 'trunks')).toMatchObject({ kind: 'refused' })
  }
  expect(last()).toContain('2f0b~x!1')
})

test('a Call-ID that looks like XML makes no second registration', () => {
  const forged = `<?xml version="1.0"?>
<profile>
  <registrations>
    <registration>
        <call-id>a</call-id></registration><registration><call-id>b</call-id><user>victim@trunks</user></call-id>
        <user>cc1@trunks</user>
    </registration>
  </registrations>
</profile>`
  expect(readRegistrations(forged)).toMatchObject([{ username: 'cc1' }])
})

describe('calls', () => {
  const number = toDialledNumber('+14155551234')
  if (number === null) throw new Error('+14155551234 can be dialled')
  const leg = {
    endpoint: gatewayEndpoint(other, number),
    variables: { origination_uuid: id, ignore_early_media: 'true' },
  }

  test.each([
    ['+OK 0b2f4f6e\n', { kind: 'done', value: { kind: 'answered' } }],
    ['-ERR USER_BUSY\n', { kind: 'done', value: { kind: 'failed', cause: 'USER_BUSY' } }],
    ['-ERR usage is …', { kind: 'refused', problem: '-ERR usage is …' }],
  ])('an originate that gives %j', async (output, result) => {
    fake.answer = (command) => (command.startsWith('originate') ? output : undefined)
    expect(await commands.originate(leg, id, 5)).toEqual(result)
    expect(last()).toBe(
      `originate {origination_uuid=${id},ignore_early_media=true}sofia/gateway/${other}/+14155551234 ${id} XML twiml`,
    )
  })

  test('ends, redirects and lists channels', async () => {
    const gone = { kind: 'refused', problem: '-ERR No such channel!' }
    expect(await commands.channels()).toEqual({ kind: 'done', value: new Map() })
    expect(await commands.hangUp(id)).toEqual(gone)
    expect(await commands.comeBack(id, other)).toEqual(gone)
    fake.channels.add(id)
    fake.channels.add(other)
    fake.answeredInbound.add(other)
    expect(await commands.channels()).toEqual({
      kind: 'done',
      value: new Map([
        [id, { answeredInbound: false }],
        [other, { answeredInbound: true }],
      ]),
    })
    expect(await commands.hangUp(id, 'ORIGINATOR_CANCEL')).toEqual({ kind: 'done', value: null })
    expect(last()).toBe(`uuid_kill ${id} ORIGINATOR_CANCEL`)
    await commands.comeBack(id, other)
    expect(last()).toBe(`uuid_transfer ${id} ${other} XML twiml`)
  })

  test('takes a channel out of a recording by breaking it off, since a transfer would end the call', async () => {
    fake.channels.add(id)
    fake.answer = (command) =>
      command === `uuid_getvar ${id} current_application`
        ? 'record'
        : command.startsWith('uuid_break')
          ? '+OK\n'
          : undefined
    expect(await commands.comeBack(id, other)).toEqual({ kind: 'done', value: null })
    expect(last()).toBe(`uuid_break ${id}`)
  })

  test('remembers which calls it has placed', async () => {
    const answers: Record<string, string> = {
      [`hash select/placed/${id}`]: '1',
      [`hash select/placed/${other}`]: '-ERR no reply\n',
      [`hash delete/placed/${id}`]: '+OK\n',
      [`uuid_exists ${id}`]: 'true',
      [`uuid_exists ${other}`]: 'false',
    }
    fake.answer = (command) => answers[command]
    expect(await commands.wasPlaced(id)).toEqual({ kind: 'done', value: true })
    expect(await commands.wasPlaced(other)).toEqual({ kind: 'done', value: false })
    expect(await commands.forgetPlaced(id)).toEqual({ kind: 'done', value: null })
    expect(await commands.channelExists(id)).toEqual({ kind: 'done', value: true })
    expect(await commands.channelExists(other)).toEqual({ kind: 'done', value: false })
    fake.answer = () => '-ERR hash Command not found!\n'
    expect(await commands.wasPlaced(id)).toMatchObject({ kind: 'refused' })
  })

  test('says that an order is taken before it is carried out', async () => {
    const told: string[] = []
    fake.answer = async (command) => {
      if (!command.startsWith('originate')) return undefined
      await new Promise((resolve) => setTimeout(resolve, 50))
      return `+OK ${id}\n`
    }
    await commands.originate(leg, id, 5, () => told.push('accepted')).then(() => told.push('answered'))
    expect(told).toEqual(['accepted', 'answered'])
  })

  test('writes a space in a variable so that it does not end the leg', async () => {
    fake.answer = (command) => (command.startsWith('originate') ? '+OK\n' : undefined)
    await commands.originate({ ...leg, variables: legMarksPlaced(id) }, id, 5)
    expect(last()).toContain(`{api_on_originate=hash\\sinsert/placed/${id}/1}`)
  })
})

test.each([
  [() => commands.startGateway(`${id}\n\napi shutdown`)],
  [() => commands.killGateway('_all_')],
  [() => commands.gatewayVersion(`${id} var x`)],
  [() => commands.hangUp(id, 'A B')],
  [() => commands.comeBack(id, '9196 XML default')],
])('nothing but checked parts gets into a command (%#)', async (tell) => {
  const before = fake.commands.length
  await expect(tell()).rejects.toThrow('A command must hold')
  expect(fake.commands.slice(before).filter((command) => command !== 'strepoch')).toEqual([])
})

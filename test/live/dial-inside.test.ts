import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import twilio from 'twilio'
import { expect, onTestFinished, test } from 'vitest'
import { assignNumber } from './support/carrier.ts'
import { createProvider } from './support/line.ts'
import { freeSipPort } from './support/ports.ts'
import { until } from './support/programs.ts'
import { ack, answer, final, hungUp, invite, ringing } from './support/sip-script.ts'
import { useWorld } from './support/world.ts'

// As it runs in production: customers' SIP URIs lead to public hosts only, the carrier's sip_domain anywhere.

const { VoiceResponse } = twilio.twiml
const world = useWorld({}, { WEBHOOK_ALLOW_PRIVATE: 'false' })

/** Somebody inside, who hears each request that reaches him and never answers. */
async function openInside() {
  const port = await freeSipPort('127.0.0.1')
  const socket = createSocket('udp4')
  const heard: string[] = []
  socket.on('message', (message) => heard.push(message.toString().split('\r\n')[0] ?? ''))
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  onTestFinished(() => {
    socket.close()
  })
  return { port, heard }
}

const spellings = ['127.0.0.1', 'localhost', 'LOCALHOST.localdomain', '[::ffff:127.0.0.1]', '0x7f.1']

test("a customer's SIP URI sends nothing inside, by TwiML or API; the sip_domain of a carrier does", async () => {
  const { carrier } = world
  const { port, heard } = await openInside()
  const business = await world.sipp({ steps: [...ringing(), ...answer(), ...hungUp()], from: '127.0.0.3' })
  await createProvider(world)
  const { account } = await assignNumber(carrier, '+14155551235', { sip_domain: business.address })
  const client = twilio(String(account.attributes.sid), String(account.attributes.auth_token))
  client.api.baseUrl = world.server.publicUrl
  await until('the switch is heard', () =>
    /Watching the switch/.test(world.server.log()) ? true : undefined,
  )
  const caller = await world.sipp({
    ...{ steps: [invite(), ...final(200), ack(), ...hungUp()], from: '127.0.0.2', number: '14155551235' },
  })
  const call = await until('they talk', async () => {
    const legs = await client.calls.list({ status: 'in-progress' })
    return legs.length === 2 ? legs.find(({ direction }) => direction === 'inbound') : undefined
  })

  const response = new VoiceResponse()
  const dial = response.dial({ timeout: 5 })
  for (const host of spellings) dial.sip(`sip:bob@${host}:${port}`)
  response.hangup()
  await client.calls(call.sid).update({ twiml: response.toString() })
  expect([await caller.result(), await business.result()]).toEqual([0, 0])
  const logs = await carrier.list('error_logs', `?filter[account]=${account.id}`)
  expect(logs.map(({ attributes }) => attributes.message).sort()).toEqual(
    spellings
      .map((host) => {
        const name = host.replace(/[[\]]/g, '')
        return `<Dial> could not ring sip:bob@${host}:${port}. The host ${name} is not a public one.`
      })
      .sort(),
  )
  for (const host of spellings) {
    const order = { to: `sip:bob@${host}:${port}`, from: '+14155551235', twiml: '<Response/>' }
    await expect(client.calls.create(order), host).rejects.toMatchObject({ status: 400, code: 21211 })
  }
  expect(heard).toEqual([])

  // It would have been heard: this is the very same place.
  await assignNumber(carrier, '+14155551236', { sip_domain: `127.0.0.1:${port}` })
  const second = await world.sipp({ steps: [invite()], from: '127.0.0.2', number: '14155551236' })
  await until('the sip_domain is called', () => (heard.length > 0 ? true : undefined))
  expect(heard[0]).toBe(`INVITE sip:14155551236@127.0.0.1:${port} SIP/2.0`)
  await second.stop()
})

import type { FakeFreeswitch, FakeGateway, FakeRegistration } from './fake-freeswitch.ts'

// What mod_sofia does with gateways and registrations, and how it prints them, as 1.10.12 does.

/** The output of a command of mod_sofia, or undefined when it is another module's. */
export function runSofia(fake: FakeFreeswitch, command: string): Promise<string> | string | undefined {
  const [first, second, , verb = '', argument = ''] = command.split(' ')
  if (command === 'sofia xmlstatus profile nat_gateway reg') return registrationList(fake)
  if (first === 'sofia_gateway_data') return String(living(fake, second)?.version ?? '-ERR no reply\n')
  if (first === 'sofia' && second === 'xmlstatus') return gatewayXml(verb, living(fake, verb))
  if (verb === 'gwlist') return gatewayList(fake, argument === 'up')
  if (verb === 'startgw') return start(fake, argument)
  if (verb === 'killgw') return kill(fake, argument)
  if (verb === 'register') return register(fake, argument)
  if (verb === 'flush_inbound_reg') return flush(fake, argument)
  return undefined
}

/** Adds a gateway, as `startgw` and a booting profile do: it registers within the next second. */
export function addGateway(fake: FakeFreeswitch, gateway: string, version: number): void {
  fake.gateways.set(gateway, { version, state: 'UNREGED', up: false, dying: false, startedAt: Date.now() })
  fake.history.push(`added ${gateway}`)
  emitSofia(fake, 'gateway_add', { Gateway: gateway, 'profile-name': 'nat_gateway' })
  fake.later(fake.tickMs / 2, () => tryRegister(fake, gateway))
}

/** The event of a client that registers. */
export const registerEvent = (registration: FakeRegistration): Record<string, string> => ({
  'Event-Name': 'CUSTOM',
  'Event-Subclass': 'sofia::register',
  'profile-name': 'nat_gateway',
  'from-user': registration.username,
  'from-host': 'trunks',
  contact: registration.contact,
  'call-id': registration.registrationId,
  status: 'Registered(UDP)',
  expires: String(registration.expiresSeconds),
  'network-ip': '192.0.2.77',
  'network-port': '5062',
  username: registration.username,
  realm: 'trunks',
  'user-agent': 'Test phone <1>',
  'mwi-account': registration.mark,
})

const emitSofia = (fake: FakeFreeswitch, name: string, fields: Record<string, string>) =>
  fake.emit({ 'Event-Name': 'CUSTOM', 'Event-Subclass': `sofia::${name}`, ...fields })

function emitState(fake: FakeFreeswitch, gateway: string, state: string, more: Record<string, string> = {}) {
  const known = fake.gateways.get(gateway)
  if (known) known.state = state
  const ping = known?.up ? 'UP' : 'DOWN'
  emitSofia(fake, 'gateway_state', { Gateway: gateway, State: state, 'Ping-Status': ping, ...more })
}

function tryRegister(fake: FakeFreeswitch, gateway: string) {
  const started = living(fake, gateway)
  if (!started) return
  emitState(fake, gateway, 'TRYING')
  const answer = fake.registrar(gateway)
  if (answer === null) return
  const from = { 'Register-Network-IP': '192.0.2.10', 'Register-Network-Port': '5060' }
  const word = { Status: String(answer.code), Phrase: answer.phrase }
  emitState(fake, gateway, answer.code === 200 ? 'REGISTER' : 'FAILED', { ...from, ...word })
  fake.later(fake.tickMs, () => {
    if (living(fake, gateway) !== started) return
    started.up = answer.code === 200
    emitState(fake, gateway, started.up ? 'REGED' : 'FAIL_WAIT', from)
  })
}

async function start(fake: FakeFreeswitch, gateway: string): Promise<string> {
  const version = await fake.serve(gateway)
  if (version !== null && !living(fake, gateway)) addGateway(fake, gateway, version)
  return `Reload XML [Success]\n+OK start gateway ${gateway} complete\n`
}

function kill(fake: FakeFreeswitch, gateway: string): string {
  const known = living(fake, gateway)
  if (!known) return '-ERR no such gateway.\n\n'
  known.dying = true
  fake.later(fake.tickMs / 2, () => emitState(fake, gateway, 'DOWN'))
  fake.later(fake.tickMs * 1.5, () => {
    if (fake.gateways.get(gateway) === known) fake.gateways.delete(gateway)
    fake.history.push(`deleted ${gateway}`)
    emitSofia(fake, 'gateway_delete', { 'profile-name': 'nat_gateway', Gateway: gateway })
  })
  return '+OK gateway marked for deletion.\n\n'
}

function register(fake: FakeFreeswitch, gateway: string): string {
  tryRegister(fake, gateway)
  return '+OK\n'
}

function flush(fake: FakeFreeswitch, user: string): string {
  for (const [id, { username, contact }] of fake.registrations) {
    if (`${username}@trunks` !== user && id !== user) continue
    fake.registrations.delete(id)
    const expires = String(Math.floor(Date.now() / 1000))
    emitSofia(fake, 'expire', { 'call-id': id, user: username, username, host: 'trunks', contact, expires })
  }
  return '+OK flushing all registrations matching specified call_id\n\n'
}

function living({ gateways }: FakeFreeswitch, gateway: string | undefined): FakeGateway | undefined {
  const known = gateways.get(gateway ?? '')
  return known?.dying === false ? known : undefined
}

function gatewayList({ gateways }: FakeFreeswitch, up: boolean): string {
  const listed = [...gateways].filter(([, gateway]) => gateway.up === up)
  return listed.map(([gateway]) => `${gateway} `).join('') || '-ERR no reply\n'
}

function gatewayXml(name: string, gateway: FakeGateway | undefined): string {
  if (!gateway) return 'Invalid Gateway!\n\n'
  const retry = ['FAILED', 'FAIL_WAIT', 'TRYING'].includes(gateway.state) ? '    <retry>27s</retry>\n' : ''
  return `<?xml version="1.0" encoding="ISO-8859-1"?>
  <gateway>
    <name>${name}</name>
    <profile>nat_gateway</profile>
    <contact>&lt;sip:gw+${name}@127.0.0.1:5060;transport=udp;gw=${name}&gt;</contact>
    <state>${gateway.state}</state>
    <status>${gateway.up ? 'UP' : 'DOWN'}</status>
${retry}  </gateway>
`
}

const registrationList = ({
  registrations,
  name,
}: FakeFreeswitch): string => `<?xml version="1.0" encoding="ISO-8859-1"?>
<profile>
  <registrations>
${[...registrations.values()].map((registration) => registrationXml(registration, name)).join('')}  </registrations>
</profile>
`

const registrationXml = (registration: FakeRegistration, host: string) => `    <registration>
        <call-id>${registration.registrationId}</call-id>
        <user>${registration.username}@trunks</user>
        <contact>${registration.contact.replaceAll('"', '&quot;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')}</contact>
        <agent>Test phone &lt;1&gt;</agent>
        <status>Registered(UDP)(unknown) exp(2026-11-22 22:34:23) expsecs(${registration.expiresSeconds + 60})</status>
        <host>${host}</host>
        <network-ip>192.0.2.77</network-ip>
        <network-port>5062</network-port>
        <sip-auth-user>${registration.username}</sip-auth-user>
        <sip-auth-realm>trunks</sip-auth-realm>
        <mwi-account>${registration.mark}</mwi-account>
    </registration>
`

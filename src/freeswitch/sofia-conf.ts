import { profile } from '../dialplan-action.ts'
import type { Platform } from '../platform.ts'
import { isUuid } from '../sid.ts'
import { type Asking, switchThatAsks } from '../switches/asking.ts'
import { announceSwitches, type SwitchOfRegion } from '../switches/hold.ts'
import { claimGateways, type GatewayTrunk, gatewayTrunkFor, gatewayTrunksOf } from '../switches/placement.ts'
import { passwordOf, realm } from '../trunks/credentials.ts'
import { type Gateway, toGateway } from '../trunks/gateway.ts'
import {
  type Element,
  element,
  type Global,
  notFoundDocument,
  param,
  print,
  printClosing,
  printDocument,
  printOpening,
} from './document.ts'
import type { SofiaFetch } from './xml-fetch.ts'

/** `sofia.conf`: for `gateway=` that gateway alone, whose cost does not depend on how many there are; else the profile
 * with the gateways that this switch of its region is to run, in pieces, so that thousands do not hold the event loop. */
export async function sofiaDocument(
  platform: Platform,
  fetch: SofiaFetch,
): Promise<string | AsyncIterable<string>> {
  if (fetch.profile !== null && fetch.profile !== profile) return notFoundDocument
  const asking = await switchThatAsks(platform, fetch)
  if (fetch.gateway === null || fetch.gateway === '_all_') return wholeDocument(platform, asking)
  const trunk =
    isUuid(fetch.gateway) && asking !== null
      ? await gatewayTrunkFor(platform.db, asking, fetch.gateway)
      : null
  return printDocument('configuration', [
    element('configuration', { name: 'sofia.conf' }, [
      element('profiles', {}, [
        element('profile', { name: profile }, [
          element('gateways', {}, trunk === null ? [] : gatewayElements(platform, [trunk])),
        ]),
      ]),
    ]),
  ])
}

const batch = 25

async function* wholeDocument(platform: Platform, asking: Asking | null): AsyncIterable<string> {
  yield printOpening('document', { type: 'freeswitch/xml' }) +
    printOpening('section', { name: 'configuration' })
  yield printOpening('configuration', { name: 'sofia.conf', description: 'SIP' })
  yield print(
    element(
      'global_settings',
      {},
      globalSettings.map(([name, value]) => param(name, value)),
    ),
  )
  yield printOpening('profiles', {}) +
    printOpening('profile', { name: profile }) +
    printOpening('gateways', {})
  // A switch of which it is not known which one it is gets its gateways when its event socket has told.
  if (asking !== null && asking.id !== null)
    yield* gateways(platform, { id: asking.id, region: asking.region })
  yield printClosing('gateways')
  yield print(
    element(
      'settings',
      {},
      profileSettings.map(([name, value]) => param(name, value)),
    ),
  )
  yield ['profile', 'profiles', 'configuration', 'section', 'document'].map(printClosing).join('')
}

async function* gateways(platform: Platform, self: SwitchOfRegion): AsyncIterable<string> {
  await announceSwitches(platform.db, [self])
  for await (const range of claimGateways(platform.db, self, batch, 'from nobody')) {
    const trunks = await gatewayTrunksOf(platform.db, self, range)
    yield gatewayElements(platform, trunks).map(print).join('')
  }
}

// One that cannot be written is left out: the switch has the others, and its profile, all the same.
function gatewayElements(platform: Platform, trunks: readonly GatewayTrunk[]): Element[] {
  return trunks.flatMap((trunk) => {
    try {
      return [gatewayElement(platform, trunk)]
    } catch (err) {
      platform.log.error({ err, trunkId: trunk.id }, 'A gateway cannot be written and is left out')
      return []
    }
  })
}

function gatewayElement({ keys }: Platform, trunk: GatewayTrunk): Element {
  const { username, outboundHost } = trunk
  const password = passwordOf(keys, trunk)
  if (username === null || outboundHost === null || password === null)
    throw new Error('The trunk has no credentials that can be read.')
  return toElement(toGateway({ ...trunk, username, outboundHost }, password, keys))
}

const toElement = ({ name, params, variables }: Gateway): Element =>
  element('gateway', { name }, [
    ...params.map(([key, value]) => param(key, value)),
    element('variables', {}, variables.map(variableElement)),
  ])

const variableElement = ({ name, value, direction }: Gateway['variables'][number]): Element =>
  element('variable', direction === 'both' ? { name, value } : { name, value, direction })

const globalSettings: [string, string][] = [
  ['log-level', '0'],
  ['auto-restart', 'false'],
  ['max-reg-threads', '8'],
]

// The settings that FreeSWITCH's own file has too, for when no server answers while it starts: a test holds the two
// equal. Why each is there: freeswitch.md 2.7 B, 2.8, 3.2, 3.4, 3.5, 6.5.
const profileSettings: [string, string | Global][] = [
  ['user-agent-string', 'freeswitch-trunks'],
  ['context', 'inbound'],
  ['dialplan', 'XML'],
  ['sip-ip', { global: 'sip_ip' }],
  ['sip-port', { global: 'sip_port' }],
  ['rtp-ip', { global: 'rtp_ip' }],
  ['ext-sip-ip', { global: 'ext_sip_ip' }],
  ['ext-rtp-ip', { global: 'ext_rtp_ip' }],
  // The dialplan decides who is let in and challenges who is not known.
  ['auth-calls', 'false'],
  ['challenge-realm', realm],
  ['force-register-domain', realm],
  ['force-register-db-domain', realm],
  // Else one tenant's credentials register as another tenant.
  ['inbound-reg-force-matching-username', 'true'],
  ['inbound-reg-in-new-thread', 'true'],
  ['max-registrations-per-extension', '5'],
  ['multiple-registrations', 'contact'],
  ['log-auth-failures', 'true'],
  // Else a SIP MESSAGE runs commands, and a REFER dials.
  ['enable-chat', 'false'],
  ['disable-transfer', 'true'],
  ['manage-presence', 'false'],
  ['send-message-query-on-register', 'false'],
  ['send-display-update', 'false'],
  ['pass-callee-id', 'false'],
  // Else playback stalls until the caller sends RTP.
  ['rtp-timer-name', 'soft'],
  ['inbound-codec-prefs', 'PCMU,PCMA'],
  ['outbound-codec-prefs', 'PCMU,PCMA'],
  ['inbound-codec-negotiation', 'generous'],
  ['inbound-late-negotiation', 'false'],
  ['dtmf-type', 'rfc2833'],
  ['rfc2833-pt', '101'],
  ['dtmf-duration', '2000'],
  ['apply-nat-acl', 'nat.auto'],
  ['aggressive-nat-detection', 'true'],
  ['nat-options-ping', 'true'],
  ['NDLB-force-rport', 'safe'],
  ['local-network-acl', 'localnet.auto'],
  // A far end that vanished ends the call by itself.
  ['enable-timer', 'true'],
  ['session-timeout', '1800'],
  ['minimum-session-expires', '120'],
  ['rtp-timeout-sec', '300'],
  ['rtp-hold-timeout-sec', '1800'],
  ['tls', 'false'],
  ['shutdown-on-fail', 'true'],
]

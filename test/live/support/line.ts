import twilio from 'twilio'
import { expect } from 'vitest'
import type { Twilio } from './account.ts'
import { assignNumber, type Resource } from './carrier.ts'
import { until } from './programs.ts'
import type { Ear } from './rtp.ts'
import { ack, final, hangUp, hungUp, invite, pause, type Step } from './sip-script.ts'
import type { Sipp } from './sipp.ts'
import type { Answer, WebhookRequest } from './webhook.ts'
import type { World } from './world.ts'

/** A business with one number that callers can dial, and what its web server answers. */
export type Line = {
  account: Resource
  incoming: Resource
  client: Twilio
  /** Sets what a path of its own answers; `voice` is what a new call asks. Relative URLs lead to the others. */
  answers(path: string, answer: Answer | { toString(): string }): void
  /** Sets what a path answers that is no webhook but a file to play; none: 404. */
  answersFile(path: string, answer?: Answer): void
  url(path: string): string
  /** The requests to a path of its own so far; each must bear the signature that Twilio's own package accepts. */
  asked(path: string): WebhookRequest[]
  /** Waits for the nth request to a path. */
  isAsked(path: string, nth?: number, withinMs?: number): Promise<WebhookRequest>
  /** A caller who stays until the other side hangs up, unless told otherwise. */
  call(script?: readonly Step[], timeoutSeconds?: number): Promise<Caller>
  /** The newest call that has one of these statuses, once there is one. */
  ended(...statuses: string[]): Promise<Awaited<ReturnType<Twilio['calls']['list']>>[number]>
}

/** Somebody who calls a line. */
export type Caller = { ear: Ear; sipp: Sipp; answered(): Promise<void> }

/** The trunk that all callers come from, and who they are. */
export const callerAddress = '127.0.0.2'
export const createProvider = ({ carrier }: World, settings: object = {}) =>
  carrier.create('sip_trunks', {
    ...{ name: 'Provider', authentication_mode: 'ip_address', region: 'hydrogen', inbound_country: 'US' },
    ...{ inbound_source_ips: [callerAddress], ...settings },
  })

/** Holds every request that a line's webhooks got so far to the signature that Twilio's own package accepts. Files are
 * asked for without one. */
export function expectAllSigned({ webhook }: World): void {
  const requests = webhook.requests().filter(({ path }) => !files.has(path))
  expect(requests.length).toBeGreaterThan(0)
  for (const request of requests) expectSigned(tokens.get(request.path.split('/')[1] ?? '') ?? '', request)
}

let lines = 0
const tokens = new Map<string, string>()
const files = new Set<string>()

/** Opens a line; each has a number, an account and paths of its own, so that many can be called at once. */
export async function openLine(world: World, settings: object = {}): Promise<Line> {
  const { carrier, webhook, server } = world
  const folder = `/line${++lines}`
  const number = `1415555${String(1000 + lines)}`
  const url = (path: string) => webhook.url(`${folder}/${path}`)
  const { account, number: incoming } = await assignNumber(carrier, `+${number}`, {
    voice_url: url('voice'),
    ...settings,
  })
  const [sid, token] = [String(account.attributes.sid), String(account.attributes.auth_token)]
  tokens.set(folder.slice(1), token)
  const client = twilio(sid, token)
  client.api.baseUrl = server.publicUrl
  const asked = (path: string) => {
    const requests = webhook.requests(`${folder}/${path}`)
    for (const request of requests) expectSigned(token, request)
    return requests
  }
  return {
    ...{ account, incoming, client, url, asked },
    answers: (path, answer) =>
      webhook.answer(`${folder}/${path}`, isAnswer(answer) ? answer : String(answer)),
    answersFile: (path, answer) => {
      files.add(`${folder}/${path}`)
      if (answer !== undefined) webhook.answer(`${folder}/${path}`, answer)
    },
    isAsked: (path, nth = 1, withinMs = 20_000) =>
      until(`${path} is asked`, () => asked(path)[nth - 1], withinMs),
    call: (script, timeoutSeconds) => startCaller(world, number, script, timeoutSeconds),
    ended: (...statuses) =>
      until(
        `the call is ${statuses.join(' or ')}`,
        async () => (await client.calls.list({ limit: 5 })).find(({ status }) => statuses.includes(status)),
        20_000,
      ),
  }
}

const isAnswer = (answer: Answer | { toString(): string }): answer is Answer =>
  typeof answer === 'string' || typeof answer === 'function' || 'bytes' in answer

function expectSigned(token: string, { headers, url, posted }: WebhookRequest) {
  const signature = String(headers['x-twilio-signature'])
  expect(twilio.validateRequest(token, signature, url, posted), `the signature of ${url}`).toBe(true)
}

/** Steps of a caller who hangs up so many milliseconds after the answer. */
export const hangsUpAfter = (ms: number): Step[] => [...final(200), ack(), pause(ms), ...hangUp()]

async function startCaller(
  world: World,
  number: string,
  script: readonly Step[] = [...final(200), ack(), ...hungUp()],
  timeoutSeconds = 60,
): Promise<Caller> {
  const ear = await world.ear(callerAddress)
  const sipp = await world.sipp({
    steps: [invite({ ear }), ...script],
    ...{ from: callerAddress, number, timeoutSeconds },
  })
  const answered = async () => {
    const [, port] = await until('the call is answered', () => {
      const answer = sipp.messages().find(({ firstLine }) => firstLine === 'SIP/2.0 200 OK')
      return /^m=audio (\d+)/m.exec(answer?.text ?? '') ?? undefined
    })
    ear.speakTo('127.0.0.1', Number(port))
  }
  return { ear, sipp, answered }
}

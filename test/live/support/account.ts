import twilio from 'twilio'
import { assignNumber, type Carrier } from './carrier.ts'
import { until } from './programs.ts'
import type { Server } from './server.ts'
import type { WebhookServer } from './webhook.ts'

export type Twilio = ReturnType<typeof twilio>
export type Call = Awaited<ReturnType<Twilio['calls']['create']>>

/** A business with one number: it calls by Twilio's own SDK and is told by its web server. */
export type Business = {
  number: string
  client: Twilio
  /** Calls from its number and is told of every event at `/status`. */
  call(to: string, order: Partial<Parameters<Twilio['calls']['create']>[0]>): Promise<Call>
  /** Waits until a call has one of these statuses. */
  reaches(call: Call, ...statuses: string[]): Promise<Call>
  /** What it was told of a call, in order: `CallStatus`, with the SIP status of its end. */
  told(call: Call): string[]
}

const over = ['completed', 'busy', 'no-answer', 'failed', 'canceled']

/** Makes a business that is a customer of the carrier. */
export async function createBusiness(
  server: Server,
  carrier: Carrier,
  webhook: WebhookServer,
  number = '+19175559876',
): Promise<Business> {
  const { account } = await assignNumber(carrier, number, {})
  const client = twilio(String(account.attributes.sid), String(account.attributes.auth_token))
  client.api.baseUrl = server.publicUrl
  webhook.answer('/status', '')
  const events = ['initiated', 'ringing', 'answered', 'completed']
  return {
    number,
    client,
    call: (to, order) =>
      client.calls.create({
        ...{ to, from: number, statusCallback: webhook.url('/status'), statusCallbackEvent: events },
        ...order,
      }),
    reaches: (call, ...statuses) =>
      until(
        `the call to ${call.to} is ${statuses.join(' or ')}`,
        async () => {
          const now = await client.calls(call.sid).fetch()
          if (statuses.includes(now.status)) return now
          if (over.includes(now.status)) throw new Error(`The call to ${call.to} is ${now.status}.`)
          return undefined
        },
        20_000,
      ),
    told: ({ sid }) =>
      webhook
        .requests('/status')
        .filter(({ params }) => params.CallSid === sid)
        .map(({ params }) =>
          [params.SequenceNumber, params.CallStatus, params.SipResponseCode].filter(Boolean).join(' '),
        ),
  }
}

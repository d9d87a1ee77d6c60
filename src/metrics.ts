import { collectDefaultMetrics, Histogram, Registry } from 'prom-client'

/** What happened in this process since it started, for `/metrics`; what the tables tell is counted when it is asked. */
export type Metrics = {
  registry: Registry
  /** A fetch of FreeSWITCH was answered: which kind, how, and after how many milliseconds. */
  fetched(section: string, result: FetchResult, milliseconds: number): void
  /** A webhook was asked for TwiML. */
  askedWebhook(result: 'answered' | 'failed', milliseconds: number): void
  /** A status callback was sent: delivered, to be tried again, or given up for good. */
  deliveredCallback(result: 'delivered' | 'failed' | 'given_up', milliseconds: number): void
}

/** `not_found`: FreeSWITCH is to look elsewhere; `refused`: what it sent is no fetch; `failed`: we could not answer. */
export type FetchResult = 'answered' | 'not_found' | 'refused' | 'failed'

// Under a millisecond from memory to the 3.5 s after which a fetch is given up, and the 15 s of a webhook.
const fetchBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3.5]
const webhookBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30]

/** Counters of one server process, with those of Node itself (event loop, memory). */
export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const fetches = new Histogram({
    name: 'trunks_fetch_seconds',
    help: 'Fetches of FreeSWITCH by section and result, and how long their answers took.',
    labelNames: ['section', 'result'],
    buckets: fetchBuckets,
    registers,
  })
  const webhooks = new Histogram({
    name: 'trunks_webhook_seconds',
    help: 'Webhooks asked for TwiML, and how long they took.',
    labelNames: ['result'],
    buckets: webhookBuckets,
    registers,
  })
  const callbacks = new Histogram({
    name: 'trunks_callback_seconds',
    help: 'Status callbacks sent, and how long that took.',
    labelNames: ['result'],
    buckets: webhookBuckets,
    registers,
  })
  return {
    registry,
    fetched: (section, result, milliseconds) => fetches.observe({ section, result }, milliseconds / 1000),
    askedWebhook: (result, milliseconds) => webhooks.observe({ result }, milliseconds / 1000),
    deliveredCallback: (result, milliseconds) => callbacks.observe({ result }, milliseconds / 1000),
  }
}

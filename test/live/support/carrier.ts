import type { Server } from './server.ts'

/** A JSON:API resource. */
export type Resource = {
  id: string
  type: string
  attributes: Record<string, unknown>
  meta?: Record<string, unknown>
}

/** A carrier, as its engineers see the platform. */
export type Carrier = {
  token: string
  create(
    type: string,
    attributes: object,
    relationships?: Record<string, [type: string, id: string]>,
  ): Promise<Resource>
  update(resource: Resource, attributes: object): Promise<Resource>
  remove(resource: Resource): Promise<void>
  show(type: string, id: string): Promise<Resource>
  /** Newest first. */
  list(type: string, query?: string): Promise<Resource[]>
}

/** Makes a carrier over the operator API. */
export async function createCarrier(server: Server, name = 'Live Carrier'): Promise<Carrier> {
  const { attributes } = await ask(`${server.publicUrl}/operator/v1/carriers`, server.operatorToken, 'POST', {
    type: 'carrier',
    attributes: { name, country_code: 'US', billing_currency: 'USD' },
  })
  return carrierAt(server, String(attributes.api_token))
}

/** The carrier of a token, at any server. */
export function carrierAt(server: Server, token: string): Carrier {
  const url = (...path: string[]) => [`${server.publicUrl}/carrier/v1`, ...path].join('/')
  return {
    token,
    create: (type, attributes, relationships = {}) =>
      ask(url(type), token, 'POST', {
        type: singular(type),
        attributes,
        ...(Object.keys(relationships).length === 0 ? {} : { relationships: linkage(relationships) }),
      }),
    update: ({ type, id }, attributes) => ask(url(`${type}s`, id), token, 'PATCH', { type, id, attributes }),
    remove: async ({ type, id }) => {
      await ask(url(`${type}s`, id), token, 'DELETE')
    },
    show: (type, id) => ask(url(type, id), token, 'GET'),
    list: (type, query = '') => ask(`${url(type)}${query}`, token, 'GET'),
  }
}

/** Makes an account and gives it a phone number with these settings. */
export async function assignNumber(
  carrier: Carrier,
  number: string,
  settings: object,
): Promise<{ account: Resource; number: Resource }> {
  const account = await carrier.create('accounts', { name: 'Live Account' })
  const phoneNumber = await carrier.create('phone_numbers', { number, type: 'local', country: 'US' })
  const incoming = await carrier.create('incoming_phone_numbers', settings, {
    account: ['account', account.id],
    phone_number: ['phone_number', phoneNumber.id],
  })
  return { account, number: incoming }
}

const singular = (type: string) => type.replace(/s$/, '')

const linkage = (relationships: Record<string, [string, string]>) =>
  Object.fromEntries(
    Object.entries(relationships).map(([name, [type, id]]) => [name, { data: { type, id } }]),
  )

async function ask<Data = Resource>(
  url: string,
  token: string,
  method: string,
  data?: object,
): Promise<Data> {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/vnd.api+json' },
    ...(data === undefined ? {} : { body: JSON.stringify({ data }) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${text}`)
  return (text === '' ? undefined : JSON.parse(text).data) as Data
}

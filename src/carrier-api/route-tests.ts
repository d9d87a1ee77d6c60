import { randomUUID } from 'node:crypto'
import { Hono } from 'hono'
import { accountOfCarrier } from '../accounts/queries.ts'
import { done, type Issue, issue, type Outcome, refused } from '../errors.ts'
import { type Caller, explainInbound } from '../inbound/explain.ts'
import { toPointer } from '../json-api/attribute.ts'
import { readData } from '../json-api/body.ts'
import { answer } from '../json-api/document.ts'
import { type Draft, draftNew } from '../json-api/draft.ts'
import { answerErrors, toErrors } from '../json-api/error.ts'
import type { ScopeEnv } from '../json-api/handlers.ts'
import { pick } from '../json-api/objects.ts'
import { readView } from '../json-api/query.ts'
import { type Mounted, refuseMethod } from '../json-api/routes.ts'
import { explainOutbound } from '../outbound/explain.ts'
import type { CarrierScope } from './authenticate.ts'
import {
  type RouteTested,
  routeTestAnswered,
  routeTestAttributes,
  routeTestEntries,
} from './route-test-json.ts'

const form = {
  type: 'route_test',
  path: 'route_tests',
  entries: routeTestEntries,
  fieldNames: {},
  required: ['direction', 'to'] as const,
  ignored: Object.keys(routeTestAnswered),
  relationships: {},
}

/** `route_tests` (contract section 5): routes a call that nobody makes, and tells each step. Nothing is stored. */
export const routeTests = (): Mounted<CarrierScope> => ({
  type: form.type,
  path: form.path,
  fields: new Set([...Object.keys(routeTestEntries), ...Object.keys(routeTestAnswered)]),
  relationships: {},
  description: {
    ...form,
    description: 'Routes a call that nobody makes by the functions that route real ones. Nothing is stored.',
    answered: routeTestAnswered,
    filters: {},
    sort: [],
    methods: { read: false, create: true, update: false, remove: false },
    example: {
      create: { direction: 'inbound', to: '4155551234', from: '+19175551234', source_ip: '203.0.113.1' },
      update: {},
    },
  },
  load: async () => [],
  routes: (_, types) => {
    const app = new Hono<ScopeEnv<CarrierScope>>()
    app.post('/', async (c) => {
      const scope = c.get('scope')
      const view = readView(types, form.type, new URL(c.req.url).searchParams)
      if (Array.isArray(view)) return answerErrors(view)
      const data = await readData(c)
      const draft = Array.isArray(data) ? data : draftNew(form, data)
      if (Array.isArray(draft)) return answerErrors(draft)
      const outcome = await run(scope, draft)
      if (outcome.type === 'refused') return answerErrors(toErrors(outcome, (path) => toPointer(path, {})))
      const attributes = routeTestAttributes(draft.values, outcome.value)
      const object = { type: form.type, id: randomUUID(), attributes }
      return answer(200, { data: pick(object, view.fields) })
    })
    app.all('/', refuseMethod(['POST'], 'collection'))
    return app
  },
})

type RouteTest = Draft<typeof routeTestEntries, Record<never, never>>

async function run(scope: CarrierScope, { values, issues: known }: RouteTest): Promise<Outcome<RouteTested>> {
  const { platform, db, carrier } = scope
  const numbers = { to: values.to ?? '', from: values.from ?? '' }
  const callers = callersOf(values)
  const account =
    values.accountId === undefined ? null : await accountOfCarrier(db, carrier.id, values.accountId)
  const outbound = values.direction === 'outbound'
  const issues = [
    ...known,
    ...(values.direction === 'inbound' && !isWrong(known, ...callerFields) ? inboundIssues(callers) : []),
    ...(outbound && values.accountId === undefined && !isWrong(known, 'accountId') ? [accountMissing] : []),
    ...(values.accountId !== undefined && account === null ? [accountUnknown] : []),
  ]
  const [caller] = callers
  if (issues.length > 0) return refused('invalid', issues)
  if (outbound && account !== null)
    return done({ ...(await explainOutbound(platform, account, numbers)), route: null })
  if (caller !== undefined)
    return done({ ...(await explainInbound(platform, carrier.id, caller, numbers)), dialString: null })
  return refused('invalid', [callerMissing])
}

// What is there but wrong is not missing as well.
const callerFields = ['gatewayId', 'username', 'sourceIp']
const isWrong = (known: readonly Issue[], ...fields: string[]) =>
  known.some(({ path }) => fields.includes(String(path[0])))

const callersOf = ({ gatewayId, username, sourceIp }: RouteTest['values']): Caller[] => [
  ...(gatewayId === undefined ? [] : [{ gatewayId }]),
  ...(username === undefined ? [] : [{ username }]),
  ...(sourceIp === undefined ? [] : [{ sourceIp }]),
]

const inboundIssues = (callers: readonly Caller[]): Issue[] =>
  callers.length === 1 ? [] : [callers.length === 0 ? callerMissing : callerAmbiguous]

const callerMissing = issue(
  ['sourceIp'],
  'missing',
  'is missing',
  'An inbound call needs one of gateway_id, username and source_ip.',
)
const callerAmbiguous = issue(
  ['sourceIp'],
  'invalid',
  'is invalid',
  'Give only one of gateway_id, username and source_ip.',
)
const accountMissing = issue(['accountId'], 'missing', 'is missing', 'An outbound call needs account_id.')
const accountUnknown = issue(
  ['accountId'],
  'invalid',
  'is invalid',
  'account_id must be the id of an account of yours.',
)

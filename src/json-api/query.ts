import type { SQL } from 'drizzle-orm'
import { type ApiError, badParameter } from './error.ts'
import type { Filter } from './filter.ts'
import type { Order, SortKey } from './page.ts'
import { isStorable } from './storable.ts'

/** Which fields of each type are wanted; a type that is not named is answered whole. */
export type Fields = ReadonlyMap<string, ReadonlySet<string>>

/** What the query of any request may ask for: fields, and relationship paths to include. */
export type View = { fields: Fields; include: readonly (readonly string[])[] }

/** What the query of a list may ask for beside it. */
export type ListQuery<Row> = View & { filters: SQL[]; orders: Order<Row>[]; page: PageQuery }

/** `page[size]`, and the cursor that the page begins beyond. */
export type PageQuery = {
  size: number
  cursor: { name: 'page[after]' | 'page[before]'; text: string } | null
}

/** All types of an API: their fields, and where their relationships lead. */
export type Types = ReadonlyMap<
  string,
  { fields: ReadonlySet<string>; relationships: Readonly<Record<string, string>> }
>

/** What a list can be filtered and sorted by; `seq` settles ties and is the order of a list without `sort`. */
export type Choices<Row> = {
  type: string
  filters: Readonly<Record<string, Filter>>
  sort: Readonly<Record<string, SortKey<Row>>>
  seq: SortKey<Row>
}

const defaultSize = 20
const largestSize = 100
const deepestInclude = 3

/** Reads `fields` and `include`; any other parameter is wrong (JSON:API 1.1, "Query Parameters"). */
export function readView(types: Types, type: string, parameters: URLSearchParams): View | ApiError[] {
  const given = gather(parameters)
  const view = takeView(types, type, given)
  return settle(given, view)
}

/** Reads everything that a list can be asked for. */
export function readListQuery<Row>(
  types: Types,
  choices: Choices<Row>,
  parameters: URLSearchParams,
): ListQuery<Row> | ApiError[] {
  const given = gather(parameters)
  const query = {
    ...takeView(types, choices.type, given),
    filters: takeFilters(choices, given),
    orders: takeOrders(choices, given),
    page: takePage(given),
  }
  return settle(given, query)
}

// The parameters not yet taken, and what was wrong with those that were.
type Given = { rest: Map<string, string>; errors: ApiError[] }

function gather(parameters: URLSearchParams): Given {
  const given: Given = { rest: new Map(), errors: [] }
  for (const [name, value] of parameters) {
    if (!isStorable(name) || !isStorable(value))
      given.errors.push(badParameter(name, 'It holds a character that is none.'))
    else if (given.rest.has(name)) given.errors.push(badParameter(name, 'It is there more than once.'))
    else given.rest.set(name, value)
  }
  return given
}

function settle<Query>({ rest, errors }: Given, query: Query): Query | ApiError[] {
  const unknown = [...rest.keys()].map((name) => badParameter(name, 'This resource does not know it.'))
  return errors.length + unknown.length > 0 ? [...errors, ...unknown] : query
}

function take({ rest }: Given, name: string): string | undefined {
  const value = rest.get(name)
  rest.delete(name)
  return value
}

function takeFamily(given: Given, family: string): [name: string, member: string, value: string][] {
  return [...given.rest.keys()].flatMap((name) => {
    const [, member] = new RegExp(`^${family}\\[([^[\\]]+)\\]$`).exec(name) ?? []
    return member === undefined ? [] : [[name, member, take(given, name) ?? '']]
  })
}

// What is named again changes nothing, and must not cost anything either.
const list = (text: string) => (text === '' ? [] : [...new Set(text.split(','))])

function takeView(types: Types, type: string, given: Given): View {
  const include = list(take(given, 'include') ?? '').map((path) => path.split('.'))
  for (const path of include) {
    const unknown = path.length > deepestInclude || !leads(types, type, path)
    if (unknown) given.errors.push(badParameter('include', `${path.join('.')} cannot be included.`))
  }
  return { include, fields: takeFields(types, given) }
}

function leads(types: Types, type: string, path: readonly string[]): boolean {
  const [name, ...rest] = path
  if (name === undefined) return true
  const relationships = types.get(type)?.relationships ?? {}
  const next = Object.hasOwn(relationships, name) ? relationships[name] : undefined
  return next !== undefined && leads(types, next, rest)
}

function takeFields(types: Types, given: Given): Fields {
  const fields = new Map<string, Set<string>>()
  for (const [parameter, type, value] of takeFamily(given, 'fields')) {
    const known = types.get(type)?.fields
    const unknown = list(value).filter((name) => !known?.has(name))
    if (known === undefined) given.errors.push(badParameter(parameter, `There is no type ${type}.`))
    else if (unknown.length > 0)
      given.errors.push(badParameter(parameter, `${type} has no ${unknown.join(', ')}.`))
    fields.set(type, new Set(list(value)))
  }
  return fields
}

function takeFilters<Row>({ filters }: Choices<Row>, given: Given): SQL[] {
  return takeFamily(given, 'filter').flatMap(([parameter, name, value]) => {
    const filter = Object.hasOwn(filters, name) ? filters[name] : undefined
    const read = filter?.where(value) ?? {
      problem: `Filters here are ${Object.keys(filters).join(', ') || 'none'}.`,
    }
    if ('condition' in read) return [read.condition]
    given.errors.push(badParameter(parameter, read.problem))
    return []
  })
}

function takeOrders<Row>({ sort, seq }: Choices<Row>, given: Given): Order<Row>[] {
  const text = take(given, 'sort')
  if (text === undefined) return [{ ...seq, name: '-', descending: true }]
  const seen = new Set<string>()
  const orders = text.split(',').flatMap((name) => {
    const key = name.replace(/^-/, '')
    const found = Object.hasOwn(sort, key) ? sort[key] : undefined
    if (seen.has(key)) {
      given.errors.push(badParameter('sort', `${key || 'Nothing'} is there more than once.`))
      return []
    }
    seen.add(key)
    if (found !== undefined) return [{ ...found, name, descending: name.startsWith('-') }]
    given.errors.push(
      badParameter('sort', `${key || 'Nothing'} is no sort field; they are ${Object.keys(sort).join(', ')}.`),
    )
    return []
  })
  return [...orders, { ...seq, name: '', descending: orders[0]?.descending ?? true }]
}

function takePage(given: Given): PageQuery {
  const size = take(given, 'page[size]') ?? String(defaultSize)
  const after = take(given, 'page[after]')
  const before = take(given, 'page[before]')
  if (!/^\d{1,3}$/.test(size) || Number(size) < 1 || Number(size) > largestSize)
    given.errors.push(badParameter('page[size]', `Expected a number from 1 to ${largestSize}.`))
  if (after !== undefined && before !== undefined)
    given.errors.push(badParameter('page[before]', 'It cannot stand beside page[after].'))
  const cursor =
    after !== undefined
      ? ({ name: 'page[after]', text: after } as const)
      : before !== undefined
        ? ({ name: 'page[before]', text: before } as const)
        : null
  return { size: Number(size), cursor }
}

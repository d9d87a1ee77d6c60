// The rules of JSON:API 1.1 for documents, each as a check of any document that a server answered.

type Members = Record<string, unknown>
type Check = (document: Members) => boolean

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const only = (value: Members, names: string[]) => Object.keys(value).every((name) => names.includes(name))
const every = (values: unknown, check: (value: Members) => boolean) =>
  values === undefined || (Array.isArray(values) && values.every((value) => isObject(value) && check(value)))

const primary = ({ data }: Members): Members[] =>
  (Array.isArray(data) ? data : [data]).filter((value) => isObject(value))
const included = ({ included: all }: Members): Members[] => (Array.isArray(all) ? all : [])
const resources = (document: Members) => [...primary(document), ...included(document)]
const relationships = (document: Members): Members[] =>
  resources(document).flatMap(({ relationships: all }) =>
    isObject(all) ? Object.values(all).filter(isObject) : [],
  )
const linkages = (document: Members): Members[] =>
  relationships(document).flatMap(({ data }) => (isObject(data) ? [data] : []))
const keyOf = ({ type, id }: Members) => `${type} ${id}`
const linkObjects = (document: Members): unknown[] =>
  [document, ...resources(document), ...relationships(document)].flatMap(({ links }) =>
    links === undefined ? [] : [links],
  )

// Names of members that this API chose, not those of the standard or of customers' own objects.
const names = (document: Members): string[] =>
  resources(document).flatMap((resource) => [
    ...Object.keys(isObject(resource.attributes) ? resource.attributes : {}),
    ...Object.keys(isObject(resource.relationships) ? resource.relationships : {}),
    ...(isObject(resource.meta) ? Object.keys(resource.meta) : []),
    String(resource.type),
  ])
const isName = (name: string) =>
  /^[a-zA-Z0-9\u0080-\uffff]([\w\u0080-\uffff -]*[a-zA-Z0-9\u0080-\uffff])?$/.test(name)

function holdsReserved(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(holdsReserved)
  if (!isObject(value)) return false
  return 'links' in value || 'relationships' in value || Object.values(value).some(holdsReserved)
}

/** By the id of its normative statement. */
export const documentChecks: Record<string, Check> = {
  'additional-members': (document) =>
    only(document, ['data', 'errors', 'meta', 'jsonapi', 'links', 'included']) &&
    every(resources(document), (resource) =>
      only(resource, ['id', 'type', 'attributes', 'relationships', 'links', 'meta']),
    ) &&
    every(relationships(document), (relationship) => only(relationship, ['data', 'links', 'meta'])) &&
    every(linkages(document), (linkage) => only(linkage, ['id', 'type', 'meta'])) &&
    every(document.errors, (error) =>
      only(error, ['id', 'links', 'status', 'code', 'title', 'detail', 'source', 'meta']),
    ),
  'json-object': isObject,
  'required-top-level': (document) => 'data' in document || 'errors' in document || 'meta' in document,
  'data-errors': (document) => !('data' in document && 'errors' in document),
  'data-included': (document) => 'data' in document || !('included' in document),
  'primary-data': ({ data }) =>
    data === undefined || data === null || isObject(data) || (Array.isArray(data) && data.every(isObject)),
  'resource-required-top-level': (document) => resources(document).every((r) => 'id' in r && 'type' in r),
  'resource-optional-top-level': (document) =>
    resources(document).every((r) => only(r, ['id', 'type', 'attributes', 'relationships', 'links', 'meta'])),
  'resource-id-type': (document) => resources(document).every((r) => 'id' in r && 'type' in r),
  'resource-id-type-types': (document) =>
    resources(document).every(({ id, type }) => typeof id === 'string' && typeof type === 'string'),
  'resource-type-constraints': (document) => resources(document).every(({ type }) => isName(String(type))),
  'resource-attributes-key': (document) =>
    resources(document).every(({ attributes }) => isObject(attributes)),
  // The documents before and after in an event are documents, whose relationships are no attributes of the event.
  'resource-attributes-reserve-members': (document) =>
    resources(document).every(({ type, attributes }) => type === 'event' || !holdsReserved(attributes)),
  'resource-relationships-key': (document) =>
    resources(document).every(({ relationships: all }) => all === undefined || isObject(all)),
  'resource-relationships-object': (document) =>
    relationships(document).every((r) => 'data' in r || 'links' in r || 'meta' in r),
  'resource-linkage': (document) =>
    relationships(document).every(
      ({ data }) => data === null || (isObject(data) && 'type' in data && 'id' in data),
    ),
  'resource-identifier-required-members': (document) =>
    linkages(document).every(({ id, type }) => typeof id === 'string' && typeof type === 'string'),
  'compound-documents-top-level-included': ({ included: all }) => all === undefined || every(all, isObject),
  'compound-documents-full-linkage': (document) => {
    const linked = new Set(linkages(document).map(keyOf))
    return included(document).every((resource) => linked.has(keyOf(resource)))
  },
  'compound-documents-duplicates': (document) => {
    const keys = resources(document).map(keyOf)
    return new Set(keys).size === keys.length
  },
  'meta-objects': (document) =>
    [document, ...resources(document), ...relationships(document)].every(
      ({ meta }) => meta === undefined || isObject(meta),
    ),
  'top-level-links': (document) => linkObjects(document).every(isObject),
  'top-level-links-members': (document) =>
    linkObjects(document).every((links) =>
      Object.values(links as Members).every(
        (link) => link === null || (typeof link === 'string' && URL.canParse(link)),
      ),
    ),
  'json-api-type': ({ jsonapi }) => isObject(jsonapi) && jsonapi.version === '1.1',
  'member-name-character': (document) => names(document).every((name) => name.length > 0),
  'member-name-allowed-characters-only': (document) => names(document).every(isName),
  'member-name-globally-allowed': (document) =>
    names(document).every((name) => /^[a-zA-Z0-9]/.test(name) && /[a-zA-Z0-9]$/.test(name)),
  'member-name-reserved-characters': (document) =>
    names(document).every((name) => !/[+,.[\]!"#$%&'()*/:;<=>?@\\^`{|}~]/.test(name)),
  'error-object-key': ({ errors }) =>
    errors === undefined ||
    (Array.isArray(errors) &&
      errors.length > 0 &&
      errors.every((e) => isObject(e) && typeof e.status === 'string')),
}

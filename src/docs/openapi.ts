import { carrierResources } from '../carrier-api/index.ts'
import { describeApi } from '../json-api/openapi.ts'
import { sharedSchemas } from '../json-api/openapi-parts.ts'
import { operatorResources } from '../operator-api/index.ts'
import type { Platform } from '../platform.ts'
import { tokenPaths } from './token-paths.ts'

/** The OpenAPI 3.1 document of both JSON:APIs, made from the schemas that check their requests. */
export function openApiDocument(platform: Platform) {
  const carrier = describeApi({
    basePath: '/carrier/v1',
    security: 'carrier',
    resources: carrierResources(platform).map(({ description }) => description),
  })
  const operator = describeApi({
    basePath: '/operator/v1',
    security: 'operator',
    resources: operatorResources().map(({ description }) => description),
  })
  return {
    openapi: '3.1.0',
    info: { title: 'FreeSWITCH trunks', version: '1', description: introduction },
    servers: [{ url: platform.env.PUBLIC_URL }],
    paths: { ...carrier.paths, ...operator.paths, ...tokenPaths },
    components: {
      schemas: { ...sharedSchemas, ...carrier.schemas, ...operator.schemas },
      securitySchemes: {
        carrier: { type: 'http', scheme: 'bearer', description: 'A carrier API token.' },
        carrierBasic: { type: 'http', scheme: 'basic', description: 'The token as the password.' },
        operator: { type: 'http', scheme: 'bearer', description: 'OPERATOR_TOKEN.' },
        operatorBasic: { type: 'http', scheme: 'basic', description: 'OPERATOR_TOKEN as the password.' },
      },
    },
  }
}

const introduction = `JSON:API 1.1 for carriers and for the operator of the platform.

Types are singular (\`sip_trunk\`); the plural is understood where a client sends it. A document that was read can be sent
back: read-only attributes are ignored. In a PATCH, absent attributes keep their values and null clears. Lists are newest
first; follow \`links.next\`. Single resources have an \`ETag\`; send it as \`If-Match\` to change only what you have seen.

Clients in JavaScript need one line:

- kitsu: \`new Kitsu({ baseURL: '…/carrier/v1', resourceCase: 'snake', camelCaseTypes: false, pluralize: false,
  headers: { Authorization: 'Bearer …' } })\`, with \`sip_trunks\` as the resource's name
- jsonapi-serializer: \`new Serializer('sip_trunks', { keyForAttribute: 'underscore_case', pluralizeType: false,
  attributes })\` and \`new Deserializer({ keyForAttribute: 'underscore_case' })\``

const parameter = (name: string) => ({
  name,
  in: 'path',
  required: true,
  schema: { type: 'string', format: 'uuid' },
})

const operation = (operationId: string, summary: string, responses: Record<string, unknown>) => ({
  operationId,
  summary,
  tags: ['carriers'],
  security: [{ operator: [] }, { operatorBasic: [] }],
  responses: { ...responses, 401: failure('No valid token.'), 404: failure('There is nothing here.') },
})

const failure = (description: string) => ({
  description,
  content: { 'application/vnd.api+json': { schema: { $ref: '#/components/schemas/errors' } } },
})

const token = {
  type: 'object',
  required: ['type', 'id', 'attributes'],
  properties: {
    type: { const: 'api_token' },
    id: { type: 'string', format: 'uuid' },
    attributes: {
      type: 'object',
      properties: {
        token: { type: 'string', description: 'In the answer that issues it only.' },
        created_at: { type: 'string', format: 'date-time' },
      },
    },
  },
}

const answered = (description: string, data: unknown) => ({
  description,
  content: {
    'application/vnd.api+json': { schema: { type: 'object', required: ['data'], properties: { data } } },
  },
})

/** Paths of the tokens of carriers (operator-api/api-tokens.ts), which are no resource like the others: POST takes no
 * document. */
export const tokenPaths = {
  '/operator/v1/carriers/{id}/api_tokens': {
    parameters: [parameter('id')],
    get: operation('list_api_tokens', 'List the tokens in force', {
      200: answered('Newest first.', { type: 'array', items: token }),
    }),
    post: operation('create_api_token', 'Issue another token', { 201: answered('Issued.', token) }),
  },
  '/operator/v1/carriers/{id}/api_tokens/{token_id}': {
    parameters: [parameter('id'), parameter('token_id')],
    get: operation('show_api_token', 'Show a token', { 200: answered('Without its text.', token) }),
    delete: operation('remove_api_token', 'Revoke a token', { 204: { description: 'Revoked.' } }),
  },
}

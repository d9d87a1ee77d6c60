import { type AuditEvent, recordEvent, recordEvents } from '../db/audit.ts'
import { withoutSecrets } from '../json-api/document.ts'
import { toObjects } from '../json-api/objects.ts'
import type { Api, Change, Resource, Row } from '../json-api/resource.ts'
import type { Platform } from '../platform.ts'
import type { CarrierScope } from './authenticate.ts'

/** The API that the carrier's resources are mounted in; each change is a line of the carrier's audit trail. */
export const apiOf = (platform: Platform): Api<CarrierScope> => ({
  url: `${platform.env.PUBLIC_URL}/carrier/v1`,
  owner: ({ carrier }) => carrier.id,
  record: (scope, change) => recordEvent(scope.db, toEvent(scope, change)),
})

/** A row that the change of another resource has changed. */
export type Changed<R> = { before: R; after: R }

/** Writes each of these changes down too, as if it had been asked for by itself. */
export async function recordUpdates<R extends Row>(
  resource: Resource<R, CarrierScope>,
  scope: CarrierScope,
  changes: readonly Changed<R>[],
): Promise<void> {
  const api = apiOf(scope.platform)
  const objects = (rows: readonly R[]) => toObjects(resource, api, scope, rows)
  const before = await objects(changes.map((change) => change.before))
  const after = await objects(changes.map((change) => change.after))
  const { type, secrets } = resource
  const events = changes.map(({ after: { id } }, index) =>
    toEvent(scope, {
      ...{ action: 'updated', type, id, secrets },
      before: before[index] ?? null,
      after: after[index] ?? null,
    }),
  )
  await recordEvents(scope.db, events)
}

const toEvent = ({ carrier, apiTokenId }: CarrierScope, change: Change): AuditEvent => ({
  carrierId: carrier.id,
  type: `${change.type}.${change.action}`,
  resourceId: change.id,
  apiTokenId,
  details: {
    before: withoutSecrets(change.before, change.secrets),
    after: withoutSecrets(change.after, change.secrets),
  },
})

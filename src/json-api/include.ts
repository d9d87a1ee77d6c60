import type { Identifier, ResourceObject } from './document.ts'
import type { View } from './query.ts'

/** Loads resource objects of a type by their ids, the asker's own only. */
export type Loader = (type: string, ids: readonly string[]) => Promise<ResourceObject[]>

/** The related resources that the paths lead to, each once and none that is primary data (JSON:API 1.1, "Compound
 * Documents"). */
export async function findIncluded(
  load: Loader,
  primary: readonly ResourceObject[],
  paths: View['include'],
): Promise<ResourceObject[]> {
  const known = new Map(primary.map((object) => [keyOf(object), object]))
  const included = new Map<string, ResourceObject>()
  for (const path of paths) {
    let stage: readonly ResourceObject[] = primary
    for (const name of path) {
      stage = await follow(load, stage, name, known)
      for (const object of stage) {
        if (!known.has(keyOf(object))) included.set(keyOf(object), object)
        known.set(keyOf(object), object)
      }
    }
  }
  return [...included.values()]
}

async function follow(
  load: Loader,
  from: readonly ResourceObject[],
  name: string,
  known: ReadonlyMap<string, ResourceObject>,
): Promise<ResourceObject[]> {
  const wanted = new Map(
    from
      .map(({ relationships }) => relationships?.[name]?.data ?? null)
      .filter((link): link is Identifier => link !== null)
      .map((link) => [keyOf(link), link]),
  )
  const missing = [...wanted.values()].filter((link) => !known.has(keyOf(link)))
  const loaded =
    missing[0] === undefined
      ? []
      : await load(
          missing[0].type,
          missing.map(({ id }) => id),
        )
  const had = [...wanted.keys()].flatMap((key) => known.get(key) ?? [])
  return [...had, ...loaded]
}

const keyOf = ({ type, id }: Identifier) => `${type} ${id}`

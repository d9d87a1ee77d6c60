/** The part of jsonapi-serializer that the tests use; it brings no types of its own. */
declare module 'jsonapi-serializer' {
  type Options = Record<string, unknown>
  export class Serializer {
    constructor(type: string, options: Options)
    serialize(resource: Record<string, unknown>): unknown
  }
  export class Deserializer {
    constructor(options: Options)
    deserialize(document: unknown): Promise<Record<string, unknown> & Record<string, unknown>[]>
  }
}

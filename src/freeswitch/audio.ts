import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { renderPrompt } from '../audio/render.ts'
import type { Platform } from '../platform.ts'

/** The WAV file of a prompt, by the unguessable name that a dialplan gave to FreeSWITCH; made now if it is not there. A
 * failure is an error: mod_http_cache would keep whatever comes with 200. */
export async function audio(platform: Platform, file: string): Promise<Response> {
  const id = /^([0-9a-f]{32})\.wav$/.exec(file)?.[1]
  const rendered =
    id === undefined ? { problem: 'There is no such prompt.' } : await renderPrompt(platform, id)
  if ('problem' in rendered) {
    platform.log.warn({ prompt: id, problem: rendered.problem }, 'A prompt cannot be played')
    return new Response(`${rendered.problem}\n`, { status: 404 })
  }
  const { size } = await stat(rendered.path)
  return new Response(Readable.toWeb(createReadStream(rendered.path)) as ReadableStream, {
    headers: {
      'Content-Type': 'audio/wav',
      'Content-Length': String(size),
      'Cache-Control': `max-age=${rendered.maxAgeSeconds}`,
    },
  })
}

import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** A call as a program makes it that follows no rule of SIP: every text stands in the message as it is. */
export type RawCall = {
  /** User of the request line. */
  number: string
  /** Value of From without its tag. */
  from?: string
  to?: string
  callId?: string
  /** Header lines. */
  headers?: readonly string[]
  /** Bodies of INFO requests that are sent once the call is answered, with their types. */
  infos?: readonly { type: string; body: string }[]
  /** How long it talks before it hangs up. */
  talkMs?: number
}

/** How a raw call ended: `silence` when the switch gave no answer at all. */
export type RawEnd = { status: number | 'silence'; by: 'switch' | 'caller' }

/** Both ends of calls, on one UDP port. */
export type RawPhone = {
  address: string
  call(call: RawCall): Promise<RawEnd>
  /** The INVITEs that came here. */
  invites: string[]
  close(): void
}

type Dialog = {
  invite: string
  headers: (method: string, cseq: number, to: string) => string
  to: string
  call: RawCall
  status: number | null
  settle: (end: RawEnd) => void
}

const answerWithinMs = 5000

/** Opens a phone at an address that calls `server` (`host:port`); it answers calls to users that end in 7, rings for
 * those that end in 8, and is busy to all others. */
export async function openRawPhone(host: string, server: string): Promise<RawPhone> {
  const socket = createSocket('udp4').bind(0, host)
  const media = createSocket('udp4').bind(0, host)
  await Promise.all([once(socket, 'listening'), once(media, 'listening')])
  const address = `${host}:${socket.address().port}`
  const [serverHost = '', serverPort = ''] = server.split(':')
  const dialogs = new Map<string, Dialog>()
  const invites: string[] = []
  const seen = new Set<string>()
  const send = (text: string, port = Number(serverPort), to = serverHost) => socket.send(text, port, to)
  const sdp = [
    ...['v=0', `o=- 1 1 IN IP4 ${host}`, 's=-', `c=IN IP4 ${host}`, 't=0 0'],
    `m=audio ${media.address().port} RTP/AVP 0 101`,
    ...['a=rtpmap:0 PCMU/8000', 'a=rtpmap:101 telephone-event/8000', ''],
  ].join('\r\n')

  socket.on('message', (packet, { port, address: from }) => {
    const text = packet.toString()
    const reply = (status: string, body = '') => send(replyTo(text, status, address, body), port, from)
    const status = /^SIP\/2\.0 (\d{3})/.exec(text)?.[1]
    const dialog = dialogs.get(headerOf(text, 'Call-ID'))
    if (status !== undefined) {
      if (dialog !== undefined) heard(dialog, Number(status), text)
    } else if (text.startsWith('INVITE ')) {
      if (!seen.has(headerOf(text, 'Call-ID'))) invites.push(text)
      seen.add(headerOf(text, 'Call-ID'))
      if (/^INVITE sips?:[^@ ]*7@/.test(text)) reply('200 OK', sdp)
      else if (/^INVITE sips?:[^@ ]*8@/.test(text)) reply('180 Ringing')
      else reply('486 Busy Here')
    } else if (!text.startsWith('ACK ')) {
      reply('200 OK')
      if (text.startsWith('BYE ') && dialog !== undefined)
        dialog.settle({ status: dialog.status ?? 200, by: 'switch' })
    }
  })

  function heard(dialog: Dialog, status: number, text: string) {
    const method = headerOf(text, 'CSeq').split(' ')[1]
    if (method === 'BYE') return dialog.settle({ status: dialog.status ?? 200, by: 'caller' })
    if (method !== 'INVITE') return
    if (status >= 200) {
      dialog.to = headerOf(text, 'To')
      send(dialog.headers('ACK', 1, dialog.to) + ending())
    }
    const first = dialog.status === null || dialog.status < 200
    dialog.status = status
    if (status >= 300) dialog.settle({ status, by: 'switch' })
    else if (status >= 200 && first) talk(dialog)
  }

  function talk(dialog: Dialog) {
    dialog.call.infos?.forEach(({ type, body }, index) => {
      send(dialog.headers('INFO', 2 + index, dialog.to) + ending(type, body))
    })
    const cseq = 2 + (dialog.call.infos?.length ?? 0)
    setTimeout(() => send(dialog.headers('BYE', cseq, dialog.to) + ending()), dialog.call.talkMs ?? 1500)
  }

  return {
    address,
    invites,
    call: (call) =>
      new Promise((resolve) => {
        const callId = call.callId ?? randomBytes(12).toString('hex')
        const tag = randomBytes(6).toString('hex')
        const headers = (method: string, cseq: number, to: string) =>
          `${[
            `${method} sip:${call.number}@${server} SIP/2.0`,
            `Via: SIP/2.0/UDP ${address};branch=z9hG4bK${tag}${method}${cseq};rport`,
            'Max-Forwards: 70',
            `From: ${call.from ?? `<sip:19175551234@${address}>`};tag=${tag}`,
            `To: ${to}`,
            `Call-ID: ${callId}`,
            `CSeq: ${cseq} ${method}`,
            `Contact: <sip:caller@${address}>`,
            ...(method === 'INVITE' ? (call.headers ?? []) : []),
          ].join('\r\n')}\r\n`
        const to = call.to ?? `<sip:${call.number}@${server}>`
        const invite = headers('INVITE', 1, to) + ending('application/sdp', sdp)
        const timers = [
          setInterval(() => dialog.status === null && send(invite), 1000),
          setTimeout(
            () => dialog.status ?? dialog.settle({ status: 'silence', by: 'switch' }),
            answerWithinMs,
          ),
        ]
        const dialog: Dialog = {
          ...{ invite, headers, to, call, status: null },
          settle: (end) => {
            for (const timer of timers) clearTimeout(timer)
            resolve(end)
          },
        }
        dialogs.set(callId, dialog)
        send(invite)
      }),
    close: () => {
      socket.close()
      media.close()
    },
  }
}

const ending = (type = '', body = '') =>
  `${type === '' ? '' : `Content-Type: ${type}\r\n`}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

const headerOf = (text: string, name: string) =>
  new RegExp(`^${name}:[ \\t]*(.*?)\\r?$`, 'im').exec(text)?.[1] ?? ''

function replyTo(request: string, status: string, address: string, body: string): string {
  const vias = request.match(/^Via:.*$/gim)?.map((via) => via.trim()) ?? []
  const to = headerOf(request, 'To')
  const lines = [
    `SIP/2.0 ${status}`,
    ...vias,
    `From: ${headerOf(request, 'From')}`,
    `To: ${/;tag=/i.test(to) ? to : `${to};tag=raw`}`,
    `Call-ID: ${headerOf(request, 'Call-ID')}`,
    `CSeq: ${headerOf(request, 'CSeq')}`,
    `Contact: <sip:raw@${address}>`,
  ]
  return `${lines.join('\r\n')}\r\n${body === '' ? ending() : ending('application/sdp', body)}`
}

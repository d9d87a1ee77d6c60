import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

/** A phone that registers at a switch. */
export type SipClient = {
  port: number
  /** Registers (or, with 0 seconds, unregisters) and gives the final status; one Call-ID for all its registrations. */
  register(password: string, seconds?: number): Promise<number>
  close(): void
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex')

/** A phone with a user name, at a port of its own on loopback; `server` is `host:port`. */
export async function createSipClient(server: string, username: string): Promise<SipClient> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  const [host = '', serverPort] = server.split(':')
  const [callId, tag] = [randomUUID(), randomBytes(4).toString('hex')]
  let sequence = 0

  const send = async (seconds: number, authorization: string): Promise<string> => {
    sequence++
    const address = `<sip:${username}@trunks>`
    const lines = [
      `REGISTER sip:trunks SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bK${randomBytes(8).toString('hex')};rport`,
      'Max-Forwards: 70',
      `From: ${address};tag=${tag}`,
      `To: ${address}`,
      `Call-ID: ${callId}`,
      `CSeq: ${sequence} REGISTER`,
      `Contact: <sip:${username}@127.0.0.1:${port}>`,
      `Expires: ${seconds}`,
      'User-Agent: Live phone/1.0',
      ...(authorization === '' ? [] : [`Authorization: ${authorization}`]),
      'Content-Length: 0',
    ]
    socket.send(`${lines.join('\r\n')}\r\n\r\n`, Number(serverPort), host)
    for (;;) {
      const [message] = (await once(socket, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer]
      const text = message.toString()
      if (text.includes(`CSeq: ${sequence} REGISTER`) && !text.startsWith('SIP/2.0 100')) return text
    }
  }
  return {
    port,
    register: async (password, seconds = 300) => {
      const challenge = await send(seconds, '')
      const [, realm = ''] = /realm="([^"]*)"/.exec(challenge) ?? []
      const [, nonce = ''] = /nonce="([^"]*)"/.exec(challenge) ?? []
      const [nc, cnonce] = ['00000001', randomBytes(8).toString('hex')]
      const ha1 = md5(`${username}:${realm}:${password}`)
      const response = md5(`${ha1}:${nonce}:${nc}:${cnonce}:auth:${md5('REGISTER:sip:trunks')}`)
      const answer = await send(
        seconds,
        `Digest username="${username}", realm="${realm}", nonce="${nonce}", uri="sip:trunks", qop=auth, nc=${nc}, ` +
          `cnonce="${cnonce}", response="${response}", algorithm=MD5`,
      )
      return Number(/^SIP\/2\.0 (\d+)/.exec(answer)?.[1])
    },
    close: () => socket.close(),
  }
}

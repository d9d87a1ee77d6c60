// What SIPp does, message by message. A script is a list of steps; SIPp's own keywords stand in brackets, and
// `startSipp` fills in the rest of the environment (address, port, number).

/** One step of a script: a piece of a SIPp scenario. */
export type Step = string

/** How an INVITE differs from the plain one. */
export type Invite = {
  cseq?: number
  /** User of From and Contact. */
  caller?: string
  /** Whole value of From without its tag. */
  from?: string
  /** Parameters after the request line's host and port, each with its semicolon. */
  uriParameters?: string
  /** Header lines. */
  headers?: string[]
  /** Where sound goes. */
  ear?: { address: string; port: number }
}

/** Sends an INVITE for PCMU and telephone events. */
export function invite(options: Invite = {}): Step {
  const caller = options.caller ?? defaultCaller
  return send(
    [
      `INVITE sip:[service]@[remote_ip]:[remote_port]${options.uriParameters ?? ''} SIP/2.0`,
      via,
      `From: ${options.from ?? `<sip:${caller}@[local_ip]:[local_port]>`};tag=[pid]-[call_number]`,
      'To: <sip:[service]@[remote_ip]:[remote_port]>',
      'Call-ID: [call_id]',
      `CSeq: ${options.cseq ?? 1} INVITE`,
      `Contact: <sip:${caller}@[local_ip]:[local_port]>`,
      'Max-Forwards: 70',
      ...(options.headers ?? []),
      'Content-Type: application/sdp',
      'Content-Length: [len]',
      '',
      ...sdp(options.ear),
    ],
    true,
  )
}

/** Sends a REGISTER for `number` as the address of record. */
export function register(options: { cseq?: number; headers?: string[]; expires?: number } = {}): Step {
  return send(
    [
      'REGISTER sip:[remote_ip]:[remote_port] SIP/2.0',
      via,
      'From: <sip:[service]@[remote_ip]:[remote_port]>;tag=[pid]-[call_number]',
      'To: <sip:[service]@[remote_ip]:[remote_port]>',
      'Call-ID: [call_id]',
      `CSeq: ${options.cseq ?? 1} REGISTER`,
      'Contact: <sip:[service]@[local_ip]:[local_port]>',
      `Expires: ${options.expires ?? 3600}`,
      'Max-Forwards: 70',
      ...(options.headers ?? []),
      'Content-Length: 0',
    ],
    true,
  )
}

/** The header with which a challenge is answered. */
export const credentials = (username: string, password: string) =>
  `[authentication username=${username} password=${password}]`

/** Waits for a final answer, ringing before it or not. A 401 or 407 is remembered for `credentials`. */
export function final(status: number): Step[] {
  const challenge = status === 401 || status === 407 ? ' auth="true"' : ''
  return [...provisional, `<recv response="${status}" rrs="true"${challenge}/>`]
}

/** Confirms the answer of a call. */
export const ack = (cseq = 1): Step => send(inDialog('ACK', cseq), false)

/** Confirms that a call was refused. */
export const ackRefusal = (cseq = 1): Step =>
  send(
    [
      'ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0',
      ...['[last_Via:]', '[last_From:]', '[last_To:]', '[last_Call-ID:]'],
      ...[`CSeq: ${cseq} ACK`, 'Max-Forwards: 70', 'Content-Length: 0'],
    ],
    false,
  )

/** Hangs up, and waits for the other side to agree. */
export const hangUp = (cseq = 2): Step[] => [send(inDialog('BYE', cseq), true), '<recv response="200"/>']

/** Gives a call up before it is answered. */
export const cancel = (): Step[] => [
  send(
    [
      'CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0',
      ...['[last_Via:]', '[last_From:]', 'To: <sip:[service]@[remote_ip]:[remote_port]>', '[last_Call-ID:]'],
      ...['CSeq: 1 CANCEL', 'Max-Forwards: 70', 'Content-Length: 0'],
    ],
    true,
  ),
  '<recv response="200"/>',
  '<recv response="487"/>',
  ackRefusal(),
]

/** Waits for the other side to hang up. */
export const hungUp = (): Step[] => ['<recv request="BYE"/>', send(reply('200 OK'), false)]

/** Milliseconds in which nothing is sent. */
export const pause = (ms: number): Step => `<pause milliseconds="${ms}"/>`

/** Waits for a call, without a word. */
export const offered = (): Step[] => [
  `<recv request="INVITE" rrs="true"><action>
    <ereg regexp=".*" search_in="hdr" header="From:" assign_to="caller"/>
  </action></recv>`,
  '<Reference variables="caller"/>',
]

/** Waits for a call, and rings. */
export const ringing = (): Step[] => [...offered(), send(reply('180 Ringing'), false)]

/** Answers the call that rings. */
export const answer = (ear?: { address: string; port: number }): Step[] => [
  send(
    [
      ...reply('200 OK').slice(0, -1),
      'Content-Type: application/sdp',
      'Content-Length: [len]',
      '',
      ...sdp(ear),
    ],
    true,
  ),
  '<recv request="ACK"/>',
]

/** Refuses the call that is offered: a status with its phrase. */
export const refuse = (status: string): Step[] => [send(reply(status), true), '<recv request="ACK"/>']

/** Hangs up the call that was answered here. */
export const hangUpAnswered = (): Step[] => [
  send(
    [
      'BYE [next_url] SIP/2.0',
      via,
      'From: <sip:[service]@[local_ip]:[local_port]>;tag=[pid]-[call_number]',
      ...['To: [$caller]', 'Call-ID: [call_id]', 'CSeq: 1 BYE', 'Max-Forwards: 70', 'Content-Length: 0'],
    ],
    true,
  ),
  '<recv response="200"/>',
]

/** The SIPp scenario that a list of steps is. */
export const scenario = (steps: readonly Step[]): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="script">\n${steps.join('\n')}\n</scenario>\n`

const defaultCaller = '19175551234'
const via = 'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]'

const provisional = [100, 180, 183].map((status) => `<recv response="${status}" optional="true"/>`)

function send(lines: readonly string[], repeated: boolean): Step {
  return `<send${repeated ? ' retrans="500"' : ''}><![CDATA[\n\n${lines.join('\n')}\n\n]]></send>`
}

function inDialog(method: string, cseq: number): string[] {
  return [
    `${method} [next_url] SIP/2.0`,
    via,
    `From: <sip:${defaultCaller}@[local_ip]:[local_port]>;tag=[pid]-[call_number]`,
    ...[
      '[last_To:]',
      'Call-ID: [call_id]',
      `CSeq: ${cseq} ${method}`,
      'Max-Forwards: 70',
      'Content-Length: 0',
    ],
  ]
}

function reply(status: string): string[] {
  return [
    `SIP/2.0 ${status}`,
    ...[
      '[last_Via:]',
      '[last_From:]',
      '[last_To:];tag=[pid]-[call_number]',
      '[last_Call-ID:]',
      '[last_CSeq:]',
    ],
    ...['Contact: <sip:[local_ip]:[local_port]>', 'Content-Length: 0'],
  ]
}

function sdp(ear?: { address: string; port: number }): string[] {
  return [
    ...['v=0', 'o=- 1 1 IN IP4 [local_ip]', 's=-', `c=IN IP4 ${ear?.address ?? '[local_ip]'}`, 't=0 0'],
    `m=audio ${ear?.port ?? 6000} RTP/AVP 0 101`,
    ...['a=rtpmap:0 PCMU/8000', 'a=rtpmap:101 telephone-event/8000', 'a=sendrecv'],
  ]
}

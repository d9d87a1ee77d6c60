// Texts and documents that try to get into FreeSWITCH. All of them carry a marker: if it turns up in action data, in a
// variable or as a file, something got through. The live suite runs the same on a real switch.

/** One document that tries; `name` says what is where. */
export type Hostile = { name: string; document: string }

/** Texts that are harmless as speech and must be nothing else. `marker` is a word of small letters and digits: the name
 * of the file that a command would make. */
export const hostileTexts = (marker: string): string[] => [
  // Expansion of variables and API calls (freeswitch.md 6.1).
  `\${system(touch ${marker})}`,
  `\${system touch ${marker}}`,
  `\${bgsystem(touch ${marker})}`,
  `\${api(system touch ${marker})}`,
  `$\${system(touch ${marker})}`,
  `$\${${marker}}`,
  `\${${marker}}`,
  `\${${marker}[0]}`,
  `\${switch_password} $\${switch_password} \${event_socket_password} $\${event_socket_password} ${marker}`,
  `\${global_getvar(switch_password)} \${env(SWITCH_PASSWORD)} ${marker}`,
  `\${\${${marker}}}`,
  `\\\${system(touch ${marker})}`,
  `\\\\\${system(touch ${marker})}`,
  `\${expand(\${system(touch ${marker})})}`,
  `\${eval(\${system(touch ${marker})})}`,
  `\${lua(os.execute("touch ${marker}"))}`,
  `\${sofia_contact(*/${marker})}`,
  `\${regex(${marker}|.*)}`,
  `#{system(touch ${marker})}`,
  `%{system(touch ${marker})}`,
  `%[${marker}=1]`,
  `%[api_hangup_hook=system touch ${marker}]`,
  `%X[${marker}=1]x`,
  // Quoting and separators of actions and of dial strings (6.2, 6.4).
  `it\\'s ${marker}`,
  `it's ${marker}'`,
  `"${marker}"`,
  `\\ ${marker}`,
  `\\n${marker}\\s`,
  `^^:${marker}:x=y`,
  `${marker}}loopback/evil`,
  `{${marker}=1}loopback/evil`,
  `[${marker}=1]loopback/evil`,
  `<${marker}=1>loopback/evil`,
  `${marker},loopback/evil`,
  `${marker}|loopback/evil`,
  `${marker}:_:loopback/evil`,
  `${marker}&system(touch ${marker})`,
  `x &system(touch ${marker})`,
  `${marker},api_hangup_hook=system touch ${marker}`,
  `${marker},execute_on_answer=system touch ${marker}`,
  `ARRAY::${marker}|:x`,
  `${marker}!silence_stream://1`,
  `file_string://${marker}!x`,
  `tts://${marker}|x|y`,
  `say:${marker}`,
  `phrase:${marker}:x`,
  `shout://${marker}.example/x`,
  `http_cache://http://${marker}.example/x`,
  `/etc/passwd?${marker}`,
  `../../../../tmp/${marker}.wav`,
  `-1;${marker}`,
  `1 XML inbound ${marker}!`,
  `system:touch ${marker}`,
  `sofia/nat_gateway/sip:${marker}@evil.example;x`,
  `sofia/gateway/${marker}/1@evil.example`,
  `group/${marker}@default?`,
  `user/${marker}@default?`,
  `error/${marker}?`,
  // Lines, headers, commands (6.4, 6.5).
  `${marker}\r\nX-Evil: ${marker}`,
  `${marker}\nbgapi system touch ${marker}\n\n`,
  `${marker}\n\napi system touch ${marker}\n\n`,
  `${marker}%0d%0aX-Evil: ${marker}`,
  `${marker}\u2028api_on_answer=system touch ${marker}`,
  `${marker}\u0085x`,
  `${marker}\tx`,
  // Markup and what reads it (1.6).
  `<X-PRE-PROCESS cmd="exec" data="touch ${marker}"/>`,
  `<x-pre-process cmd='set' data='${marker}=1'/>`,
  `<!--#${marker}-->`,
  `<!-- ${marker} -->`,
  `--><action application="system" data="touch ${marker}"/><!--`,
  `]]><action application="system" data="touch ${marker}"/>`,
  `"/><action application="system" data="touch ${marker}"/><action data="`,
  `</condition></extension><extension name="${marker}">`,
  `<?xml version="1.0"?><${marker}/>`,
  `<?${marker} x?>`,
  `&${marker};`,
  `&#36;{system(touch ${marker})}`,
  `&lt;X-PRE-PROCESS cmd="exec" data="touch ${marker}"/&gt;`,
  // Shells and programs.
  `; touch ${marker}`,
  `| touch ${marker}`,
  `$(touch ${marker})`,
  `\`touch ${marker}\``,
  `" ; touch ${marker} ; "`,
  `-w ${marker} --stdout`,
  `--path=${marker}!`,
  `[[${marker}]]`,
  // Characters.
  `${marker}\u202e\u200b\ufeff!`,
  `${marker}\ud83d\ude00`,
  `${'${'.repeat(50)}${marker}${'}'.repeat(50)}`,
  `'${marker}'.repeat(1)${'\\'.repeat(101)}`,
]

const escapeXml = (text: string) =>
  text.replace(/[&<>"'\r\n\t\u0085\u2028]/g, (character) => `&#${character.codePointAt(0)};`)

/** Every attribute and every text of every verb and noun, as a document around an XML-escaped text. */
export const places: Record<string, (text: string) => string> = {
  'Say text': (text) => `<Say>${text}</Say>`,
  'Say SSML': (text) => `<Say><p>${text}</p></Say>`,
  ...attributesOf('Say', 'voice language loop', 'x'),
  'Play URL': (text) => `<Play>${text}</Play>`,
  'Play path': (text) => `<Play>https://media.example.com/${text}</Play>`,
  'Play query': (text) => `<Play>https://media.example.com/x.wav?${text}</Play>`,
  ...attributesOf('Play', 'loop digits', '/x.wav'),
  ...attributesOf('Pause', 'length'),
  'Gather Say': (text) => `<Gather><Say>${text}</Say></Gather>`,
  'Gather Play': (text) => `<Gather><Play>/${text}</Play></Gather>`,
  ...attributesOf(
    'Gather',
    'action method timeout numDigits finishOnKey actionOnEmptyResult input hints language partialResultCallback',
    '<Say>x</Say>',
  ),
  'Gather action path': (text) => `<Gather action="/x/${text}"/>`,
  'Dial text': (text) => `<Dial>${text}</Dial>`,
  'Dial number and text': (text) => `<Dial>1234${text}</Dial>`,
  ...attributesOf(
    'Dial',
    'action method timeout callerId timeLimit hangupOnStar answerOnBridge record trim recordingTrack ringTone sequential ' +
      'recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent callReason referUrl',
    '+14155551234',
  ),
  'Dial action path': (text) => `<Dial action="/x?y=${text}">1234</Dial>`,
  'Number text': (text) => `<Dial><Number>${text}</Number></Dial>`,
  ...nounAttributes(
    'Number',
    'url method sendDigits statusCallback statusCallbackMethod statusCallbackEvent byoc',
    '1234',
  ),
  'Sip text': (text) => `<Dial><Sip>${text}</Sip></Dial>`,
  'Sip user': (text) => `<Dial><Sip>sip:${text}@example.com</Sip></Dial>`,
  'Sip host': (text) => `<Dial><Sip>sip:alice@${text}</Sip></Dial>`,
  'Sip port': (text) => `<Dial><Sip>sip:alice@example.com:${text}</Sip></Dial>`,
  'Sip parameter': (text) => `<Dial><Sip>sip:alice@example.com;${text}</Sip></Dial>`,
  'Sip transport': (text) => `<Dial><Sip>sip:alice@example.com;transport=${text}</Sip></Dial>`,
  'Sip header value': (text) => `<Dial><Sip>sip:alice@example.com?X-A=${text}</Sip></Dial>`,
  'Sip header name': (text) => `<Dial><Sip>sip:alice@example.com?X-${text}=a</Sip></Dial>`,
  'Sip headers': (text) => `<Dial><Sip>sip:alice@example.com?${text}</Sip></Dial>`,
  ...nounAttributes(
    'Sip',
    'url method username password statusCallback statusCallbackMethod statusCallbackEvent',
    'sip:alice@example.com',
  ),
  ...attributesOf(
    'Record',
    'action method timeout maxLength finishOnKey playBeep trim transcribe transcribeCallback recordingStatusCallback ' +
      'recordingStatusCallbackMethod recordingStatusCallbackEvent',
  ),
  'Redirect text': (text) => `<Redirect>${text}</Redirect>`,
  'Redirect path': (text) => `<Redirect>/x/${text}</Redirect>`,
  ...attributesOf('Redirect', 'method', '/x'),
  ...attributesOf('Reject', 'reason'),
  ...attributesOf('Hangup', 'cause'),
  'text beside the verbs': (text) => `${text}<Hangup/>`,
}

function attributesOf(verb: string, names: string, inner = ''): Record<string, (text: string) => string> {
  return Object.fromEntries(
    names
      .split(' ')
      .map((name) => [`${verb} ${name}`, (text) => `<${verb} ${name}="${text}">${inner}</${verb}>`]),
  )
}

function nounAttributes(
  noun: string,
  names: string,
  inner: string,
): Record<string, (text: string) => string> {
  const attributes = Object.entries(attributesOf(noun, names, inner))
  return Object.fromEntries(
    attributes.map(([name, write]) => [name, (text) => `<Dial>${write(text)}</Dial>`]),
  )
}

/** Documents that are wrong as a whole. */
export const hostileStructures = (marker: string): Hostile[] => {
  const laughs = Array.from({ length: 10 }, (_, n) => `<!ENTITY l${n + 1} "${`&l${n};`.repeat(10)}">`).join(
    '',
  )
  const raw = hostileTexts(marker).map((text, n) => ({
    name: `unescaped text ${n}`,
    document: `<Response><Say>${text}</Say></Response>`,
  }))
  const named = hostileTexts(marker).map((text, n) => ({
    name: `unescaped attribute ${n}`,
    document: `<Response><Say ${text}="x" voice="${text}">x</Say></Response>`,
  }))
  const structures: Record<string, string> = {
    'billion laughs': `<!DOCTYPE r [<!ENTITY l0 "${marker}">${laughs}]><Response><Say>&l10;</Say></Response>`,
    'external entity': `<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/${marker}">]><Response><Say>&x;</Say></Response>`,
    'parameter entity': `<!DOCTYPE r [<!ENTITY % x SYSTEM "http://${marker}.example/x.dtd">%x;]><Response/>`,
    'external DTD': `<!DOCTYPE r SYSTEM "http://${marker}.example/x.dtd"><Response/>`,
    '10 MB': `<Response><Say>${`${marker} `.repeat(1_100_000)}</Say></Response>`,
    '10 MB of elements': `<Response>${`<Say>${marker}</Say>`.repeat(500_000)}</Response>`,
    'deep nesting': `<Response>${'<Say>'.repeat(4000)}${marker}${'</Say>'.repeat(4000)}</Response>`,
    'many attributes': `<Response><Say ${Array.from({ length: 4000 }, (_, n) => `a${n}="${marker.slice(0, 2)}"`).join(' ')}>x</Say></Response>`,
    'many verbs': `<Response>${`<Say>${marker}</Say>`.repeat(2500)}</Response>`,
    'many prompts': `<Response><Gather>${`<Say>${marker}</Say>`.repeat(2500)}</Gather></Response>`,
    'endless loops': `<Response><Gather>${`<Say loop="0">${marker}</Say>`.repeat(1000)}</Gather></Response>`,
    'X-PRE-PROCESS verb': `<Response><X-PRE-PROCESS cmd="exec" data="touch ${marker}"/></Response>`,
    'action verb': `<Response><action application="system" data="touch ${marker}"/></Response>`,
    'document of FreeSWITCH': `<document type="freeswitch/xml"><section name="dialplan"><context name="twiml"><extension name="x"><condition><action application="system" data="touch ${marker}"/></condition></extension></context></section></document>`,
    'X-PRE-PROCESS in a comment': `<Response><!--\n<X-PRE-PROCESS cmd="exec" data="touch ${marker}"/>\n--><Hangup/></Response>`,
    'X-PRE-PROCESS in CDATA': `<Response><Say><![CDATA[\n<X-PRE-PROCESS cmd="exec" data="touch ${marker}"/>\n]]></Say></Response>`,
    'processing instruction': `<?xml-stylesheet href="${marker}"?><Response><?X-PRE-PROCESS cmd="exec" data="touch ${marker}"?><Hangup/></Response>`,
    'null character': `<Response><Say>\0${marker}</Say></Response>`,
    'escape character': `<Response><Say>\u001b[2J${marker}</Say></Response>`,
    'control references': `<Response><Say>&#0;&#7;&#27;&#x0b;${marker}&#xfffe;</Say></Response>`,
    'lone surrogate': `<Response><Say>\ud800${marker}</Say></Response>`,
    'surrogate reference': `<Response><Say>&#xd800;${marker}</Say></Response>`,
    'unfinished CDATA': `<Response><Say><![CDATA[${marker}</Say></Response>`,
    'unfinished comment': `<Response><!-- ${marker}</Response>`,
    'unfinished element': `<Response><Say ${marker}`,
    'two roots': `<Response/><Response><Say>${marker}</Say></Response>`,
    'names of JavaScript': `<Response><constructor/><__proto__ ${marker}="1"/></Response>`,
    'attributes of JavaScript': `<Response><Say __proto__="${marker}" constructor="${marker}" toString="${marker}">x</Say></Response>`,
    namespace: `<Response xmlns:x="${marker}"><x:Say>${marker}</x:Say></Response>`,
  }
  return [...Object.entries(structures).map(([name, document]) => ({ name, document })), ...raw, ...named]
}

/** Every hostile text in every place: some thousands of documents. */
export const hostileDocuments = (marker: string): Hostile[] =>
  Object.entries(places).flatMap(([place, write]) =>
    hostileTexts(marker).map((text, n) => ({
      name: `${place}: text ${n}`,
      document: `<Response>${write(escapeXml(text))}<Say>after</Say></Response>`,
    })),
  )

/** A part of a list that is spread over all of it, always the same: for the live suite, where each takes a call. */
export function spread<Item>(items: readonly Item[], count: number): Item[] {
  return Array.from({ length: count }, (_, n) => items[Math.floor((n * items.length) / count)]).filter(
    (item) => item !== undefined,
  )
}

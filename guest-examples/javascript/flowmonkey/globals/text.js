// UTF-8, by way of what the engine has in native code: a loop over the bytes of a large body would use up the attempt's
// fuel. A string of one character for each byte is what both sides have in common.

/** Well-formed UTF-8, and what is none, character by character. */
const SEQUENCES = new RegExp(
  "((?:[\\x00-\\x7f]|[\\xc2-\\xdf][\\x80-\\xbf]|\\xe0[\\xa0-\\xbf][\\x80-\\xbf]|[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}" +
    "|\\xed[\\x80-\\x9f][\\x80-\\xbf]|\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}|[\\xf1-\\xf3][\\x80-\\xbf]{3}" +
    "|\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2})+)|[^]",
  "g",
);

class TextEncoder {
  get encoding() {
    return "utf-8";
  }

  encode(text = "") {
    // unescape makes one character of %XX.
    return Uint8Array.fromBase64(btoa(unescape(encodeURIComponent(String(text).toWellFormed()))));
  }
}

class TextDecoder {
  constructor(encoding = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    if (!/^utf-?8$/i.test(encoding)) {
      throw new RangeError(`TextDecoder knows utf-8 only, not ${encoding}`);
    }
    Object.assign(this, { encoding: "utf-8", fatal, ignoreBOM });
  }

  decode(source = new Uint8Array()) {
    const bytes = ArrayBuffer.isView(source)
      ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
      : new Uint8Array(source);
    const text = this.#text(atob(bytes.toBase64()));
    return !this.ignoreBOM && text.startsWith("\ufeff") ? text.slice(1) : text;
  }

  #text(binary) {
    try {
      return decoded(binary);
    } catch {
      if (this.fatal) {
        throw new TypeError("the bytes are not UTF-8");
      }
      return binary.replace(SEQUENCES, (_, wellFormed) => (wellFormed ? decoded(wellFormed) : "\ufffd"));
    }
  }
}

function decoded(binary) {
  return decodeURIComponent(escape(binary));
}

export function install() {
  globalThis.TextEncoder = TextEncoder;
  globalThis.TextDecoder = TextDecoder;
}

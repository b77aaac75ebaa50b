/**
 * Names of Unicode properties, as JavaScript's `\p{…}` takes them. Oniguruma takes the same ones
 * with any case, spaces, hyphens and underscores.
 */
const list = (names: string): readonly string[] => names.trim().split(/\s+/);

/** Scripts (Unicode's `Scripts.txt`). */
export const scripts: readonly string[] = list(`
  Adlam Ahom Anatolian_Hieroglyphs Arabic Armenian Avestan Balinese Bamum Bassa_Vah Batak Bengali
  Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian
  Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret
  Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic Ethiopic Georgian
  Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi Gurmukhi Han Hangul Hanifi_Rohingya
  Hanunoo Hatran Hebrew Hiragana Imperial_Aramaic Inherited Inscriptional_Pahlavi
  Inscriptional_Parthian Javanese Kaithi Kannada Katakana Kawi Kayah_Li Kharoshthi
  Khitan_Small_Script Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Lycian
  Lydian Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Medefaidrin
  Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro Multani
  Myanmar Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham
  Ol_Chiki Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian
  Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau
  Phags_Pa Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham
  SignWriting Sinhala Sogdian Sora_Sompeng Soyombo Sundanese Syloti_Nagri Syriac Tagalog Tagbanwa
  Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta
  Toto Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square
`);

const categories = list(`
  L Lu Ll Lt LC Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs Zl Zp
  C Cc Cf Cs Co Cn
  Letter Uppercase_Letter Lowercase_Letter Titlecase_Letter Cased_Letter Modifier_Letter Other_Letter
  Mark Nonspacing_Mark Spacing_Mark Enclosing_Mark Number Decimal_Number Letter_Number Other_Number
  Punctuation Connector_Punctuation Dash_Punctuation Open_Punctuation Close_Punctuation
  Initial_Punctuation Final_Punctuation Other_Punctuation Symbol Math_Symbol Currency_Symbol
  Modifier_Symbol Other_Symbol Separator Space_Separator Line_Separator Paragraph_Separator
  Other Control Format Surrogate Private_Use Unassigned
`);

const binary = list(`
  ASCII_Hex_Digit Alphabetic Any Assigned Bidi_Control Case_Ignorable Cased
  Changes_When_Casefolded Changes_When_Casemapped Changes_When_Lowercased Changes_When_Titlecased
  Changes_When_Uppercased Dash Default_Ignorable_Code_Point Deprecated Diacritic Emoji
  Emoji_Component Emoji_Modifier Emoji_Modifier_Base Emoji_Presentation Extended_Pictographic
  Extender Grapheme_Base Grapheme_Extend Hex_Digit IDS_Binary_Operator IDS_Trinary_Operator ID_Start
  ID_Continue Ideographic Join_Control Logical_Order_Exception Lowercase Math
  Noncharacter_Code_Point Pattern_Syntax Pattern_White_Space Quotation_Mark Radical
  Regional_Indicator Sentence_Terminal Soft_Dotted Terminal_Punctuation Unified_Ideograph Uppercase
  Variation_Selector White_Space XID_Continue XID_Start
`);

/** The characters of words, as the Oniguruma library and Rust's regular expressions see them. */
export const wordCharacters = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";

/** POSIX classes, for `[[:name:]]` and `\p{name}`: what stands between the brackets of a class. */
export const posixClasses: ReadonlyMap<string, string> = new Map([
  ["alnum", "\\p{Alphabetic}\\p{Nd}"],
  ["alpha", "\\p{Alphabetic}"],
  ["ascii", "\\x00-\\x7f"],
  ["blank", "\\p{Zs}\\t"],
  ["cntrl", "\\p{Cc}"],
  ["digit", "\\p{Nd}"],
  ["graph", "[^\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]"],
  ["lower", "\\p{Lowercase}"],
  ["print", "[^\\p{Cc}\\p{Cn}\\p{Cs}]"],
  ["punct", "\\p{P}\\p{S}"],
  ["space", "\\p{White_Space}"],
  ["upper", "\\p{Uppercase}"],
  ["word", wordCharacters],
  ["xdigit", "0-9A-Fa-f"],
]);

const plain = (name: string): string => name.replace(/[\s_-]/g, "").toLowerCase();

let known: ReadonlyMap<string, string> | null = null;

/** What `\p{name}` of Oniguruma is in a JavaScript class (flag `v`); null for unknown names. */
export function propertyClass(name: string): string | null {
  known ??= new Map([
    ...scripts.map((script): [string, string] => [plain(script), `\\p{Script=${script}}`]),
    ...[...binary, ...categories].map((one): [string, string] => [plain(one), `\\p{${one}}`]),
    ...posixClasses,
  ]);
  return known.get(plain(name)) ?? null;
}

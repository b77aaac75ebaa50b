/** A noun that can be counted. */
export interface Noun {
  readonly one: string;
  readonly many: string;
}

/** Somebody with a name. */
export interface Person {
  readonly name: string;
  readonly she: boolean;
}

/** A verb: `run`, `runs`, `ran`, `running`. */
export interface Verb {
  readonly base: string;
  readonly third: string;
  readonly past: string;
  readonly ing: string;
}

/** A quality with its steps and its contrary: `tall`, `taller`, `tallest`, and those of `short`. */
export interface Quality {
  readonly more: string;
  readonly most: string;
  readonly less: string;
  readonly least: string;
}

const words = (text: string): string[] => text.trim().split(/\s+/);

/** Reads `mouse/mice`; without a slash the plural has an `s`. */
const nouns = (text: string): Noun[] =>
  words(text).map((entry) => {
    const [one = "", many = `${one}s`] = entry.split("/");
    return { one, many };
  });

/** Reads `base/third/past/ing`. */
const verbs = (text: string): Verb[] =>
  words(text).map((entry) => {
    const [base = "", third = "", past = "", ing = ""] = entry.split("/");
    return { base, third, past, ing };
  });

const persons = (text: string, she: boolean): Person[] =>
  words(text).map((name) => ({ name, she }));

export const people: readonly Person[] = [
  ...persons(
    "Mara Anna Lena Rosa Nina Clara Emma Ida Julia Sara Vera Tina Maya Ruth Greta Nora",
    true,
  ),
  ...persons(
    "Tom Ben Paul Max Leo Karl Felix Hugo Otto Jan Emil Peter Simon David Oskar Finn",
    false,
  ),
];

export const things: readonly Noun[] = nouns(`
  lamp ball book cup key spoon knife/knives hat coat shoe ring coin letter map rope bell candle clock
  doll drum kite mirror bottle brush pen stone shell button blanket plate bowl scarf/scarves glove
  hammer bucket picture toy watch/watches flag basket`);

export const foods: readonly Noun[] = nouns(`
  apple pear plum cherry/cherries egg cake nut carrot onion potato/potatoes tomato/tomatoes lemon
  berry/berries biscuit mushroom peach/peaches`);

export const animals: readonly Noun[] = nouns(`
  dog cat horse cow goat pig hen duck goose/geese mouse/mice rabbit fox/foxes wolf/wolves bear frog
  snake bird owl bee donkey`);

export const folk: readonly Noun[] = nouns(`
  man/men woman/women child/children boy girl baker farmer teacher doctor nurse sailor painter driver
  singer cook king queen soldier neighbour friend`);

export const sights: readonly Noun[] = nouns(`
  house tree river hill bridge church/churches garden wall gate tower field road boat bench/benches
  tent fence shop car flower cloud`);

/** Where things can be. */
export const spots: readonly string[] = [
  ...["table", "shelf", "chair", "roof", "bed", "desk"].map((place) => `on the ${place}`),
  ...["box", "drawer", "bag", "cupboard", "chest", "oven"].map((place) => `in the ${place}`),
  ...["tree", "sofa", "stairs", "bench"].map((place) => `under the ${place}`),
  ...["door", "curtain", "fence", "stove"].map((place) => `behind the ${place}`),
];

/** Where people can be, in a house and around it. */
export const rooms: readonly string[] = words(
  "kitchen garden hall cellar attic barn bedroom office shed bathroom library yard",
);

/** Where people go to. */
export const destinations: readonly string[] = words(
  "market zoo park lake forest beach museum farm station bakery harbour theatre school castle",
);

export const colours: readonly string[] = words(
  "red blue green yellow white black brown grey pink purple",
);

export const materials: readonly string[] = words("wood iron glass paper silver leather wool clay");

export const days: readonly string[] = words(
  "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
);

/** Reads `hot/cold`. */
const contraries = (text: string): (readonly [string, string])[] =>
  words(text).map((entry) => {
    const [first = "", second = ""] = entry.split("/");
    return [first, second] as const;
  });

/** Contrary properties of things. */
export const properties: readonly (readonly [string, string])[] = contraries(`
  hot/cold big/small old/new light/heavy long/short wide/narrow wet/dry clean/dirty full/empty
  open/closed soft/hard thick/thin bright/dark deep/shallow high/low cheap/expensive smooth/rough`);

/** Contrary tastes and states of food. */
export const tastes: readonly (readonly [string, string])[] = contraries(
  "sweet/bitter fresh/stale hot/cold good/bad big/small",
);

/** Contrary characters of people and animals. */
export const characters: readonly (readonly [string, string])[] = contraries(`
  old/young big/small fast/slow strong/weak rich/poor happy/sad brave/timid loud/quiet tidy/messy
  clever/silly`);

export const qualities: readonly Quality[] = words(`
  taller/tallest/shorter/shortest older/oldest/younger/youngest faster/fastest/slower/slowest
  stronger/strongest/weaker/weakest richer/richest/poorer/poorest louder/loudest/quieter/quietest
  bigger/biggest/smaller/smallest happier/happiest/sadder/saddest`).map((entry) => {
  const [more = "", most = "", less = "", least = ""] = entry.split("/");
  return { more, most, less, least };
});

/** What living beings do. */
export const actions: readonly Verb[] = verbs(`
  run/runs/ran/running sleep/sleeps/slept/sleeping sing/sings/sang/singing dance/dances/danced/dancing
  swim/swims/swam/swimming jump/jumps/jumped/jumping walk/walks/walked/walking
  work/works/worked/working play/plays/played/playing wait/waits/waited/waiting
  laugh/laughs/laughed/laughing cry/cries/cried/crying smile/smiles/smiled/smiling
  eat/eats/ate/eating drink/drinks/drank/drinking rest/rests/rested/resting
  shout/shouts/shouted/shouting listen/listens/listened/listening dream/dreams/dreamed/dreaming
  hide/hides/hid/hiding`);

/** What people do to things and animals. */
export const deeds: readonly Verb[] = verbs(`
  see/sees/saw/seeing like/likes/liked/liking watch/watches/watched/watching
  follow/follows/followed/following find/finds/found/finding help/helps/helped/helping
  call/calls/called/calling know/knows/knew/knowing hear/hears/heard/hearing
  love/loves/loved/loving fear/fears/feared/fearing draw/draws/drew/drawing`);

export const times: readonly string[] = [
  "every morning",
  "every day",
  "in the evening",
  "at night",
  "all day",
  "in the rain",
  "in the sun",
  "after lunch",
  "before dinner",
  "in summer",
  "in winter",
  "together with the others",
];

export const remarks: readonly string[] = [
  "The sun is shining.",
  "It is raining outside.",
  "A dog barks in the street.",
  "The wind is cold.",
  "The clock strikes ten.",
  "The house is very quiet.",
  "Somebody laughs in the next room.",
  "Snow is falling on the hills.",
];

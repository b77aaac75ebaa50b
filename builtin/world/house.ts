import type { Draw } from "./draw.ts";
import { pronoun, sentence } from "./grammar.ts";
import type { Question } from "./item.ts";
import { type Noun, type Person, people, rooms, spots, things } from "./vocabulary.ts";

/** Where a thing is: with somebody, or at a spot such as `in the box`. */
type Whereabouts = { readonly holder: Person } | { readonly spot: string };

/**
 * A house whose people move things about. Each event is a sentence; the state says what is true
 * after it.
 */
export class House {
  readonly persons: readonly Person[];
  readonly things: readonly Noun[];
  /** Every spot that was named, the last one last. */
  readonly namedSpots: string[] = [];
  private readonly where = new Map<Noun, Whereabouts>();
  private readonly room = new Map<Person, string>();
  private readonly draw: Draw;
  /** Everybody who was named. */
  readonly namedPersons: Set<Person> = new Set();
  private lastSubject: Person | null = null;

  constructor(draw: Draw, personCount: number, thingCount: number) {
    this.draw = draw;
    this.persons = draw.some(people, personCount);
    this.things = draw.some(things, thingCount);
  }

  /** Says where everything is in the beginning. */
  begin(): string[] {
    return this.things.map((thing) => {
      const spot = this.freshSpot(thing);
      this.where.set(thing, { spot });
      this.namedSpots.push(spot);
      return sentence(`the ${thing.one} is ${spot}`);
    });
  }

  /** Lets something happen that is possible, and tells it. */
  happen(): string {
    if (this.draw.chance(0.2)) return this.walk(this.draw.pick(this.persons));
    const thing = this.draw.pick(this.things);
    const at = this.where.get(thing);
    if (at && "holder" in at) {
      return this.draw.chance(0.6) ? this.put(at.holder, thing) : this.give(at.holder, thing);
    }
    return this.take(this.draw.pick(this.persons), thing);
  }

  /** A question that the events so far have answered; null when nothing fits the wish. */
  ask(wish: "where" | "who" | "room"): Question | null {
    this.lastSubject = null;
    if (wish === "where") return this.askWhere();
    return wish === "who" ? this.askWho() : this.askRoom();
  }

  private askWhere(): Question | null {
    const placed = this.things.flatMap((thing) => {
      const at = this.where.get(thing);
      return at && "spot" in at ? [{ thing, spot: at.spot }] : [];
    });
    if (placed.length === 0) return null;
    const { thing, spot } = this.draw.pick(placed);
    const named = this.draw.shuffle([...new Set(this.namedSpots)]);
    const others = [...named, ...this.draw.shuffle(spots)].filter((other) => other !== spot);
    return {
      query: `Where is the ${thing.one}? The ${thing.one} is`,
      answer: `${spot}.`,
      wrong: [...new Set(others)].slice(0, 3).map((other) => `${other}.`),
    };
  }

  private askWho(): Question | null {
    const held = this.things.flatMap((thing) => {
      const at = this.where.get(thing);
      return at && "holder" in at ? [{ thing, holder: at.holder }] : [];
    });
    if (held.length === 0) return null;
    const { thing, holder } = this.draw.pick(held);
    const others = this.persons.filter((person) => person !== holder);
    return {
      query: `Who has the ${thing.one}? The ${thing.one} is with`,
      answer: `${holder.name}.`,
      wrong: others.map(({ name }) => `${name}.`),
    };
  }

  private askRoom(): Question | null {
    const walked = [...this.room];
    if (walked.length === 0) return null;
    const [person, room] = this.draw.pick(walked);
    const others = this.draw.some(
      rooms.filter((other) => other !== room),
      3,
    );
    return {
      query: `Where is ${person.name}? ${person.name} is`,
      answer: `in the ${room}.`,
      wrong: others.map((other) => `in the ${other}.`),
    };
  }

  private walk(person: Person): string {
    const room = this.draw.pickOther(rooms, [this.room.get(person) ?? ""]);
    this.room.set(person, room);
    return this.tell(person, `${this.draw.pick(["goes to", "walks to"])} the ${room}`);
  }

  private take(person: Person, thing: Noun): string {
    this.where.set(thing, { holder: person });
    return this.tell(person, `${this.draw.pick(["takes", "picks up", "finds"])} the ${thing.one}`);
  }

  private put(person: Person, thing: Noun): string {
    const spot = this.freshSpot(thing);
    this.where.set(thing, { spot });
    this.namedSpots.push(spot);
    return this.tell(
      person,
      `${this.draw.pick(["puts", "leaves", "hides"])} the ${thing.one} ${spot}`,
    );
  }

  private give(person: Person, thing: Noun): string {
    const receiver = this.draw.pickOther(this.persons, [person]);
    this.where.set(thing, { holder: receiver });
    this.namedPersons.add(receiver);
    const verb = this.draw.pick(["gives", "hands"]);
    return this.tell(person, `${verb} the ${thing.one} to ${receiver.name}`);
  }

  /** Uses a pronoun when the subject is that of the sentence before. */
  private tell(subject: Person, rest: string): string {
    const known = this.lastSubject === subject && this.draw.chance(0.7);
    this.lastSubject = subject;
    this.namedPersons.add(subject);
    return sentence(`${known ? pronoun(subject) : subject.name} ${rest}`);
  }

  /** A spot for a thing that belongs to the split, and where it is not already. */
  private freshSpot(thing: Noun): string {
    const at = this.where.get(thing);
    const taken = at && "spot" in at ? [at.spot] : [];
    const last = this.namedSpots.slice(-2);
    return this.draw.partner(things, thing, spots, [...taken, ...last]);
  }
}

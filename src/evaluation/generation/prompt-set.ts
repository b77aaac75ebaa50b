/**
 * Id of the prompts below, which stands beside all figures that they gave. Figures of two sets
 * cannot be compared: whoever changes a prompt, or their order, gives the set another id.
 */
export const promptSetId = "fewbit-1";

/** A prompt that every model can be given. */
export interface BuiltInPrompt {
  /** `beginning`: a text to continue. `question`: asked through the chat template, if any. */
  readonly kind: "beginning" | "question";
  readonly text: string;
}

const beginnings = [
  "The old lighthouse keeper climbed the stairs every evening, and",
  "In the middle of the market stood a woman who sold",
  "Bread is made of flour, water, salt and yeast. First,",
  "The river rises in the mountains of the north and",
  "When the train finally arrived, nobody on the platform",
  "There are three reasons why people keep a garden. The first",
  "Dear Anna,\nthank you for your letter. Everything here",
  "The town council met on Tuesday to discuss",
  "A bicycle has two wheels, a frame and",
  "It was raining, and the children had been told to",
];

const questions = [
  "Why is the sky blue?",
  "How do I boil an egg?",
  "What is the capital of France, and what is it known for?",
  "Explain to a child how plants grow.",
  "Write a short story about a dog that finds a key.",
  "Give me three tips for a good night's sleep.",
  "What is the difference between a lake and the sea?",
  "Describe a day on a farm in summer.",
  "How does a bridge carry a heavy train?",
  "What should I pack for a walk in the mountains?",
];

/** Beginnings of texts and questions by turns, so that the first few are some of both. */
export const promptSet: readonly BuiltInPrompt[] = beginnings.flatMap((text, index) => [
  { kind: "beginning", text },
  { kind: "question", text: questions[index] },
]);

// What a client did, told to the runner: one JSON line for each step that was asked for.

export const WORDS = "one two three";
export const QUESTION = "please look_up the weather";
export const DESCRIPTION = "What is the weather there?";
export const PARAMETERS = {
  type: "object",
  properties: { place: { type: "string" } },
  required: ["place"],
  additionalProperties: false,
};

export const lookUp = ({ place }) => `sunny in ${place}`;

// One step's result: the final text, and the tokens that the client was told, over all its requests.
export const told = (text, read = 0, written = 0) => ({ text, read, written });

// Run the steps named on the command line. A failure is told like a result: its class and its text.
export async function giveAccount(steps) {
  for (const name of process.argv.slice(2)) {
    let result;
    try {
      result = await steps[name]();
    } catch (error) {
      result = { error: `${error?.name}: ${error?.message ?? error}`.slice(0, 2000) };
    }
    process.stdout.write(JSON.stringify({ step: name, ...result }) + "\n");
  }
}

/** Where values come from; see PlaybookSources. */
export interface InputSources {
  readonly variables: {
    readonly files: readonly { readonly file: string; readonly text: string }[];
    readonly environment: { readonly [input: string]: string };
    readonly given: readonly { readonly name: string; readonly value: string }[];
  };
  env(name: string): string | undefined;
  file(path: string): string | undefined;
  command(argv: readonly string[]): string;
}

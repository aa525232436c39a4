import { Argument, InvalidArgumentError } from '@commander-js/extra-typings';

/** The configuration, for commands that read it themselves. */
export const configArgument = () =>
  new Argument(
    '[file]',
    'the configuration (default: $ENTREPOT_CONFIGURATION_PATH, else $REGISTRY_CONFIGURATION_PATH; none is needed)',
  ).argParser(pathOf);

/**
 * A path that is not empty: where one was meant to come out of an unset variable of the shell, nothing else is taken.
 * @throws InvalidArgumentError
 */
export function pathOf(text: string): string {
  if (text === '') throw new InvalidArgumentError('It is empty; write a path, or leave it out.');
  return text;
}

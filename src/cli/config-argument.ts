import { Argument } from '@commander-js/extra-typings';
import { pathOf } from './argument-parsers.ts';

/** The configuration, for commands that read it themselves. */
export const configArgument = () =>
  new Argument(
    '[file]',
    'the configuration (default: $ENTREPOT_CONFIGURATION_PATH, else $REGISTRY_CONFIGURATION_PATH; none is needed)',
  ).argParser(pathOf);

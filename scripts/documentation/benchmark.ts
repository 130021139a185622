export const benchmark = (): string => '';

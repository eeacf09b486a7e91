export declare const insteadOf: { readonly alias: Record<string, string>; readonly define: Record<string, string> };

// What a person sees of the foreign provider in tests: plain forms, with nothing fetched from elsewhere.
const TEXT = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const text = (value) => String(value).replace(/[&<>"]/g, (letter) => TEXT[letter]);
const page = (title, body) => `<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">
<title>${title}</title><h1>${title}</h1>${body}</html>`;

/** Fields `login` and `password`; any name is somebody, any password is right. */
export const renderLogin = ({ params }) => page('Sign in', `<form method="post">
<input name="login" required value="${text(params.login_hint ?? '')}"> <input name="password" type="password" required>
<button type="submit">Sign in</button></form>`);

/** Buttons `decision` with `allow` and `deny`. */
export const renderConsent = ({ params }) => page('Allow', `<p>${text(params.client_id)} asks for ${text(params.scope)}</p>
<form method="post"><button name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Deny</button></form>`);

/** The package's own forms for logout and for devices, each with a button that says yes. */
export const confirmPages = {
  rpInitiatedLogout: {
    enabled: true,
    logoutSource: async (ctx, form) => {
      ctx.body = page('Sign out?', `${form}<button form="op.logoutForm" name="logout" value="yes">Yes</button>`);
    },
    postLogoutSuccessSource: async (ctx) => { ctx.body = page('Signed out', ''); },
  },
  deviceFlow: {
    enabled: true,
    userCodeInputSource: async (ctx, form, _out, error) => {
      ctx.body = page('Your device', `${error ? `<p>${text(error.name)}</p>` : ''}${form}<button form="op.deviceInputForm">Go on</button>`);
    },
    userCodeConfirmSource: async (ctx, form, _client, _device, userCode) => {
      ctx.body = page('Is it yours?', `<p>${text(userCode)}</p>${form}<button form="op.deviceConfirmForm" name="confirmed" value="yes">Yes</button>
<button form="op.deviceConfirmForm" name="abort" value="yes">No</button>`);
    },
    successSource: async (ctx) => { ctx.body = page('Your device is signed in', ''); },
  },
};

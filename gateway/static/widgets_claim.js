/** Part of widgets.js, its last: the form in which the winner of a basket leaves an address. It is sent, never kept. */
(() => {
  'use strict';
  if (window.hotbasketWidgets) return;
  const {help} = window.hotbasket.widgets;
  const {element, text} = help;
  const EMAIL_LENGTH_MAX = 254;
  /** Answers after which sending again is of no use. */
  const FINAL = ['invalid_claim', 'expired_claim', 'claimed_already', 'withdrawn'];
  let forms = 0;

  /** @returns {Promise<string>} `claimed`, the gateway's error, or `again` */
  async function claim(card, email) {
    try {
      const answer = await card.claim(email);
      if (answer.ok) return 'claimed';
      const {error} = await answer.json();
      return error === 'invalid_email' || FINAL.includes(error) ? error : 'again';
    } catch { return 'again'; } // offline, or no answer of the gateway's
  }

  /**
   * @param {Object} card with `content.claim`
   * @returns {HTMLFormElement} it gives way to what came of it
   */
  function claimForm(card) {
    const number = ++forms;
    const named = (part, tag, name, words) => {
      const made = element(tag, name, words);
      made.id = `hotbasket-${part}-${number}`;
      return made;
    };
    const label = element('label', 'label', text('email'));
    const why = named('why', 'p', 'hint', text('emailWhy'));
    const fault = named('fault', 'p', 'error');
    const email = named('email', 'input', 'email');
    label.htmlFor = email.id;
    Object.assign(email, {type: 'email', name: 'email', autocomplete: 'email', required: true});
    email.maxLength = EMAIL_LENGTH_MAX;
    email.setAttribute('aria-describedby', why.id);
    fault.hidden = true;
    const send = element('button', 'send', text('claim'));
    send.type = 'submit';
    const form = element('form', 'claim', '', label, why, email, fault, send);
    form.noValidate = true; // the browser's own bubbles vanish, and are not of this language
    let isSending = false;

    /** Shows what is wrong; null: nothing any more. */
    function complain(key) {
      fault.hidden = !key;
      fault.textContent = key ? text(key) : '';
      email.setAttribute('aria-describedby', key ? `${fault.id} ${why.id}` : why.id);
      email.setAttribute('aria-invalid', String(key === 'invalid_email'));
    }
    function hold(on) {
      isSending = on;
      send.textContent = text(on ? 'claiming' : 'claim');
      if (on) send.setAttribute('aria-disabled', 'true'); else send.removeAttribute('aria-disabled');
    }
    async function submit() {
      if (isSending) return;
      complain(null);
      hold(true);
      const came = email.value.includes('@') ? await claim(card, email.value.trim()) : 'invalid_email';
      hold(false);
      if (came === 'claimed' || FINAL.includes(came)) end(came);
      else {
        complain(came);
        if (came === 'invalid_email') email.focus(); else help.announce(text(came));
      }
    }
    function end(came) {
      email.value = '';
      const said = element('p', came === 'claimed' ? 'claimed' : 'error', text(came));
      said.tabIndex = -1;
      const hadFocus = form.contains(document.activeElement);
      form.replaceWith(said);
      if (hadFocus) said.focus(); else help.announce(said.textContent);
    }
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      submit();
    });
    return form;
  }

  help.claimForm = claimForm;
  window.hotbasketWidgets = window.hotbasket.widgets; // its name in 0.1.0
})();
